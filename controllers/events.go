package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// event tells of something that was done, once.
func (r *run) event(kind, reason, action, format string, args ...any) {
	r.events.Eventf(r.c, nil, kind, reason, action, format, args...)
}

// tellChanges makes an event of each condition that has changed, of those whose
// changes are news.
func (r *run) tellChanges(before, after []metav1.Condition) {
	for _, t := range []v1alpha1.ConditionType{
		v1alpha1.ConditionReady, v1alpha1.ConditionBusReady, v1alpha1.ConditionConfigValid, v1alpha1.ConditionPaused,
	} {
		now, then := meta.FindStatusCondition(after, string(t)), meta.FindStatusCondition(before, string(t))
		if now == nil || !isNews(t, then, now) {
			continue
		}
		kind := corev1.EventTypeNormal
		if isBad(t, now.Status) {
			kind = corev1.EventTypeWarning
		}
		note := now.Message
		if note == "" {
			note = string(t) + " is " + string(now.Status)
		}
		const most = 1000 // the API server takes 1 KiB
		if len(note) > most {
			note = note[:most]
		}
		r.event(kind, now.Reason, string(t), "%s", note)
	}
}

// isNews tells whether a condition has changed. A cluster that is new is not ready
// yet, which is no news, unless its spec cannot be used.
func isNews(t v1alpha1.ConditionType, then, now *metav1.Condition) bool {
	if then == nil {
		return t == v1alpha1.ConditionConfigValid && isBad(t, now.Status) || t == v1alpha1.ConditionPaused && now.Status == metav1.ConditionTrue
	}
	return then.Status != now.Status || isBad(t, now.Status) && t == v1alpha1.ConditionConfigValid && then.Reason != now.Reason
}

func isBad(t v1alpha1.ConditionType, s metav1.ConditionStatus) bool {
	return s == metav1.ConditionFalse && t != v1alpha1.ConditionPaused
}
