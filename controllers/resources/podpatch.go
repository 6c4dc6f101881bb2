package resources

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	kjson "sigs.k8s.io/json"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// ownPrefix begins the labels and annotations that a patch must not touch.
const ownPrefix = v1alpha1.Group + "/"

// patched lays spec.podTemplate over the hubs' pods.
func (b *builder) patched(template *corev1ac.PodTemplateSpecApplyConfiguration) *corev1ac.PodTemplateSpecApplyConfiguration {
	patch := b.c.Spec.PodTemplate
	if patch == nil || len(patch.Raw) == 0 {
		return template
	}
	result, err := patchTemplate(template, patch.Raw)
	if err != nil {
		b.invalid(v1alpha1.ReasonPodTemplateInvalid, fmt.Sprintf("spec.podTemplate: %v", err))
		return template
	}
	return result
}

// patchTemplate applies a strategic merge patch. It works on the JSON of the apply
// configuration, so what the patch leaves alone stays exactly as it was.
func patchTemplate(template *corev1ac.PodTemplateSpecApplyConfiguration, patch []byte) (*corev1ac.PodTemplateSpecApplyConfiguration, error) {
	original, err := json.Marshal(template)
	if err != nil {
		return nil, fmt.Errorf("write the pod template: %w", err)
	}
	merged, err := mergePatch(original, patch)
	if err != nil {
		return nil, fmt.Errorf("it is no strategic merge patch for a pod template: %w", err)
	}
	// The API's type knows every field; an apply configuration would drop an
	// unknown one in silence.
	unknown, err := kjson.UnmarshalStrict(merged, &corev1.PodTemplateSpec{})
	if err = errors.Join(append(unknown, err)...); err != nil {
		return nil, fmt.Errorf("it makes no valid pod template: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	result := corev1ac.PodTemplateSpec()
	if err := json.Unmarshal(merged, result); err != nil {
		return nil, fmt.Errorf("it makes no valid pod template: %w", err)
	}
	return result, checkPatched(template, result)
}

// mergePatch is the library's, which panics on some patches: on a merge key that is
// a list, for one. One user's mistake is not to end the operator for all.
func mergePatch(original, patch []byte) (merged []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a value has the wrong type: %v", r)
		}
	}()
	return strategicpatch.StrategicMergePatch(original, patch, corev1.PodTemplateSpec{})
}

// checkPatched finds what a patch must leave as it is: what objects select pods
// by, what rolls them, and the hub.
func checkPatched(before, after *corev1ac.PodTemplateSpecApplyConfiguration) error {
	if after.ObjectMetaApplyConfiguration == nil || after.Spec == nil {
		return errors.New("it removes metadata or spec")
	}
	for key, value := range before.Labels {
		if own := strings.HasPrefix(key, "app.kubernetes.io/"); own && after.Labels[key] != value {
			return fmt.Errorf("it changes the label %s, which selects the pods", key)
		}
	}
	for key, value := range before.Annotations {
		if strings.HasPrefix(key, ownPrefix) && after.Annotations[key] != value {
			return fmt.Errorf("it changes the annotation %s, which is the operator's", key)
		}
	}
	for _, c := range after.Spec.Containers {
		if c.Name != nil && *c.Name == HubContainer {
			return nil
		}
	}
	return fmt.Errorf("it removes the container %q", HubContainer)
}
