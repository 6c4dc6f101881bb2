package scaling

import (
	"encoding/json"
	"time"
)

// MarkPatch returns the JSON merge patch (RFC 7386) that marks p as drained
// until deadline, which is written in whole seconds. The API server refuses it
// with a conflict where p has changed since it was read.
func MarkPatch(p Pod, deadline time.Time) []byte {
	return annotationsPatch(p, map[string]any{
		DrainDeadlineAnnotation: deadline.UTC().Format(time.RFC3339),
		DeletionCostAnnotation:  DeletionCost,
	})
}

// UnmarkPatch returns the JSON merge patch that takes the marks of a drain away.
// The API server refuses it with a conflict where p has changed since it was
// read.
func UnmarkPatch(p Pod) []byte {
	return annotationsPatch(p, map[string]any{DrainDeadlineAnnotation: nil, DeletionCostAnnotation: nil})
}

func annotationsPatch(p Pod, annotations map[string]any) []byte {
	meta := map[string]any{"annotations": annotations}
	if p.ResourceVersion != "" {
		meta["resourceVersion"] = p.ResourceVersion
	}
	patch, _ := json.Marshal(map[string]any{"metadata": meta}) // texts only: cannot fail
	return patch
}
