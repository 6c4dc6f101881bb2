package controllers_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/resources"
)

// installCRD installs the CRD of an optional kind, with a schema that takes
// anything.
func (o *operator) installCRD(kind resources.Kind) {
	o.t.Helper()
	clientset, err := apiextensions.NewForConfig(o.config)
	if err != nil {
		o.t.Fatal(err)
	}
	anything := true
	plural, _, _ := strings.Cut(kind.CRD, ".")
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: kind.CRD, Annotations: map[string]string{"api-approved.kubernetes.io": "unapproved, for a test"}},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: kind.Group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Kind: kind.Kind, ListKind: kind.Kind + "List"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: kind.Version, Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: &anything,
				}},
			}},
		},
	}
	crds := clientset.ApiextensionsV1().CustomResourceDefinitions()
	if _, err := crds.Create(o.t.Context(), crd, metav1.CreateOptions{}); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		if err := crds.Delete(context.Background(), kind.CRD, metav1.DeleteOptions{}); err != nil {
			o.t.Error(err)
		}
		eventually(o.t, kind.CRD+" is gone", func() error {
			if _, err := crds.Get(context.Background(), kind.CRD, metav1.GetOptions{}); err == nil {
				return errStillNot
			}
			return nil
		})
	})
}

// installCRDs installs all, and waits until the operator uses them.
func (o *operator) installCRDs() {
	o.t.Helper()
	for _, kind := range resources.Kinds() {
		if kind.CRD != "" {
			o.installCRD(kind)
		}
	}
	o.stop() // an operator that starts finds them
	o.run()
}

// CRDs that are missing are told of, and used once they are there.
func TestOptionalKinds(t *testing.T) {
	o := startOperator(t)
	c := o.create(`
bus: {nats: {managed: {replicas: 1}}}
monitoring: {serviceMonitor: {}}
httpRoute: {parentRefs: [{name: gateway}]}
`)
	o.await(c, v1alpha1.ConditionMonitoringReady, "False", v1alpha1.ReasonCRDMissing)
	o.await(c, v1alpha1.ConditionConfigValid, "False", v1alpha1.ReasonCRDMissing)
	o.await(c, v1alpha1.ConditionHubReady, "True", v1alpha1.ReasonHubsRunning)
	for _, kind := range resources.Kinds() {
		if kind.CRD == "" {
			continue
		}
		o.installCRD(kind)
		child := fmt.Sprintf("%s/%s", kind.Kind, c.Name)
		present := func() error {
			if o.children()[child] == nil {
				return errStillNot
			}
			return nil
		}
		eventually(t, child+" is made", present)
		if err := o.client.Delete(t.Context(), o.children()[child]); err != nil {
			t.Fatal(err)
		}
		eventually(t, child+" is back", present)
	}
	o.await(c, v1alpha1.ConditionMonitoringReady, "True", v1alpha1.ReasonMonitored)
	o.awaitSettled(c)
	changes := o.requests.changes.Load()
	o.touch(c, "settled")
	if n := o.requests.changes.Load() - changes; n != 0 {
		t.Errorf("%d requests that change something, the last %v", n, o.requests.last.Load())
	}
}

// makeExpandable makes a storage class whose volumes may grow, and binds the claims
// of the namespace, as a provisioner does.
func (o *operator) makeExpandable(class string) {
	o.t.Helper()
	clientset, err := kubernetes.NewForConfig(o.config)
	if err != nil {
		o.t.Fatal(err)
	}
	yes := true
	_, err = clientset.StorageV1().StorageClasses().Create(o.t.Context(), &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: class}, Provisioner: "test", AllowVolumeExpansion: &yes,
	}, metav1.CreateOptions{})
	if err != nil {
		o.t.Fatal(err)
	}
	claims, err := clientset.CoreV1().PersistentVolumeClaims(o.namespace).List(o.t.Context(), metav1.ListOptions{})
	if err != nil {
		o.t.Fatal(err)
	}
	for _, claim := range claims.Items {
		claim.Spec.VolumeName = "volume-" + claim.Name
		updated, err := clientset.CoreV1().PersistentVolumeClaims(o.namespace).Update(o.t.Context(), &claim, metav1.UpdateOptions{})
		if err != nil {
			o.t.Fatal(err)
		}
		updated.Status.Phase, updated.Status.Capacity = corev1.ClaimBound, claim.Spec.Resources.Requests
		if _, err := clientset.CoreV1().PersistentVolumeClaims(o.namespace).UpdateStatus(o.t.Context(), updated, metav1.UpdateOptions{}); err != nil {
			o.t.Fatal(err)
		}
	}
}
