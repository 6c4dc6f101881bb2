package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/chenxilol/gohub/api/v1alpha1"
	"github.com/chenxilol/gohub/controllers/resources"
)

// servedWithin is how long a new CRD may take to be served.
const servedWithin = time.Minute

// optionalKinds knows which kinds of CRDs that may be missing are there, and has
// the controller watch them from then on.
type optionalKinds struct {
	mgr        manager.Manager
	trigger    *trigger
	discovery  discovery.DiscoveryInterface
	metadata   metadata.Interface
	controller controller.Controller

	mu     sync.Mutex // guards served
	served map[schema.GroupVersionKind]bool
}

// newOptionalKinds finds out what is there now.
func newOptionalKinds(mgr manager.Manager, t *trigger) (*optionalKinds, error) {
	disc, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("make a discovery client: %w", err)
	}
	meta, err := metadata.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("make a metadata client: %w", err)
	}
	o := &optionalKinds{mgr: mgr, trigger: t, discovery: disc, metadata: meta, served: map[schema.GroupVersionKind]bool{}}
	for _, kind := range resources.Kinds() {
		if kind.CRD == "" {
			continue
		}
		served, err := o.ask(kind)
		if err != nil {
			return nil, err
		}
		o.served[kind.GroupVersionKind] = served
	}
	return o, nil
}

// ask asks the API server whether it serves a kind.
func (o *optionalKinds) ask(kind resources.Kind) (bool, error) {
	list, err := o.discovery.ServerResourcesForGroupVersion(kind.GroupVersion().String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask for %s: %w", kind.CRD, err)
	}
	for _, r := range list.APIResources {
		if r.Kind == kind.Kind {
			return true, nil
		}
	}
	return false, nil
}

// has tells whether a kind can be used.
func (o *optionalKinds) has(kind resources.Kind) bool {
	if kind.CRD == "" {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.served[kind.GroupVersionKind]
}

// hasKind is has for the name of a kind.
func (o *optionalKinds) hasKind(name string) bool {
	for _, kind := range resources.Kinds() {
		if kind.Kind == name {
			return o.has(kind)
		}
	}
	return false
}

// Start watches the CRDs by their names until ctx ends.
func (o *optionalKinds) Start(ctx context.Context) error {
	crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	var wait sync.WaitGroup
	defer wait.Wait()
	for _, kind := range resources.Kinds() {
		if kind.CRD == "" {
			continue
		}
		informer := metadatainformer.NewFilteredMetadataInformer(o.metadata, crds, "", 0, toolscache.Indexers{}, func(l *metav1.ListOptions) {
			l.FieldSelector = fields.OneTermEqualSelector("metadata.name", kind.CRD).String()
		}).Informer()
		if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { o.added(ctx, kind) },
			DeleteFunc: func(any) { o.removed(ctx, kind) },
		}); err != nil {
			return fmt.Errorf("watch the CRD %s: %w", kind.CRD, err)
		}
		wait.Go(func() { informer.RunWithContext(ctx) })
	}
	<-ctx.Done()
	return nil
}

// added has a kind watched as soon as it is served.
func (o *optionalKinds) added(ctx context.Context, kind resources.Kind) {
	if o.has(kind) {
		return
	}
	log := logf.FromContext(ctx).WithValues("crd", kind.CRD)
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, servedWithin, true, func(context.Context) (bool, error) {
		served, err := o.ask(kind)
		return served && err == nil, nil // asked again
	})
	if err == nil {
		err = o.controller.Watch(ownedSource(o.mgr, kind))
	}
	if err != nil {
		if ctx.Err() == nil {
			log.Error(err, "A CRD was installed and cannot be used")
		}
		return
	}
	log.Info("A CRD was installed")
	o.set(ctx, kind, true)
}

func (o *optionalKinds) removed(ctx context.Context, kind resources.Kind) {
	log := logf.FromContext(ctx).WithValues("crd", kind.CRD)
	log.Info("A CRD was removed")
	o.set(ctx, kind, false)
	if err := o.mgr.GetCache().RemoveInformer(ctx, kind.New()); err != nil {
		log.Error(err, "Cannot end a watch")
	}
}

// set notes whether a kind is there, and has all clusters looked at.
func (o *optionalKinds) set(ctx context.Context, kind resources.Kind, served bool) {
	o.mu.Lock()
	o.served[kind.GroupVersionKind] = served
	o.mu.Unlock()
	list := &v1alpha1.GoHubClusterList{}
	if err := o.mgr.GetClient().List(ctx, list); err != nil {
		logf.FromContext(ctx).Error(err, "Cannot list the clusters")
	}
	for i := range list.Items {
		o.trigger.cluster(client.ObjectKeyFromObject(&list.Items[i]))
	}
}
