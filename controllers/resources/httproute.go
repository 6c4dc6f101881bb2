package resources

import (
	"strconv"
	"strings"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1ac "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

func (b *builder) httpRoute() *gatewayv1ac.HTTPRouteApplyConfiguration {
	r := b.c.Spec.HTTPRoute
	if r == nil || !b.f.HTTPRoutes {
		return nil
	}
	rule := gatewayv1ac.HTTPRouteRule().
		WithMatches(gatewayv1ac.HTTPRouteMatch().WithPath(gatewayv1ac.HTTPPathMatch().
			WithType(gatewayv1.PathMatchPathPrefix).
			WithValue(r.Path))).
		WithBackendRefs(gatewayv1ac.HTTPBackendRef().
			WithGroup(""). // the defaults as well, see fillPod
			WithKind("Service").
			WithName(gatewayv1.ObjectName(ServiceName(b.c))).
			WithPort(b.c.Spec.Service.Port).
			WithWeight(1))
	if r.Timeout != nil {
		rule.WithTimeouts(gatewayv1ac.HTTPRouteTimeouts().WithRequest(gatewayv1.Duration(unitDuration(r.Timeout.Duration))))
	}
	spec := gatewayv1ac.HTTPRouteSpec().WithRules(rule)
	for _, ref := range r.ParentRefs {
		spec.WithParentRefs(parentRef(ref))
	}
	for _, name := range r.Hostnames {
		spec.WithHostnames(gatewayv1.Hostname(name))
	}
	route := gatewayv1ac.HTTPRoute(ServiceName(b.c), b.c.Namespace).WithSpec(spec)
	route.ObjectMetaApplyConfiguration = b.objectMeta(ServiceName(b.c), ComponentHub)
	return route.WithAnnotations(r.Annotations)
}

func parentRef(ref v1alpha1.ParentRef) *gatewayv1ac.ParentReferenceApplyConfiguration {
	p := gatewayv1ac.ParentReference().
		WithGroup(gatewayv1.GroupName).
		WithKind("Gateway").
		WithName(gatewayv1.ObjectName(ref.Name))
	if ref.Namespace != "" {
		p.WithNamespace(gatewayv1.Namespace(ref.Namespace))
	}
	if ref.SectionName != "" {
		p.WithSectionName(gatewayv1.SectionName(ref.SectionName))
	}
	if ref.Port != 0 {
		p.WithPort(ref.Port)
	}
	return p
}

// unitDuration writes a duration in whole hours, minutes, seconds and
// milliseconds, as the Gateway API (GEP-2257) and Prometheus read them; Go's own
// form may have fractions.
func unitDuration(d time.Duration) string {
	var text strings.Builder
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if n := d / unit.size; n > 0 {
			text.WriteString(strconv.FormatInt(int64(n), 10) + unit.name)
			d -= n * unit.size
		}
	}
	if text.Len() == 0 {
		return "0s"
	}
	return text.String()
}
