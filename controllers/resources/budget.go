package resources

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"
)

// budget lets nodes be drained one pod at a time. One alone has none: it would say
// nothing. A pod that does not get ready may always go.
func (b *builder) budget(name, component string, replicas int32) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	if replicas < 2 {
		return nil
	}
	p := policyv1ac.PodDisruptionBudget(name, b.c.Namespace).WithSpec(policyv1ac.PodDisruptionBudgetSpec().
		WithSelector(b.selector(component)).
		WithMaxUnavailable(intstr.FromInt32(1)).
		WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow))
	p.ObjectMetaApplyConfiguration = b.objectMeta(name, component)
	return p
}
