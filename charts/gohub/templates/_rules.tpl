{{/* What the operator may do in each namespace that it watches. config/rbac has
     the same; test/chart compares them. */}}
{{- define "gohub.rules.watched" -}}
- apiGroups: [gohub.io]
  resources: [gohubclusters]
  verbs: [get, list, watch]
- apiGroups: [gohub.io]
  resources: [gohubclusters/status]
  verbs: [get, patch]
# Owner references that block the deletion of the owner.
- apiGroups: [gohub.io]
  resources: [gohubclusters/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [configmaps, secrets, serviceaccounts, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims, pods]
  verbs: [get, list, watch, patch]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get, list, watch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* What it may do in the whole cluster, however few namespaces it watches. */}}
{{- define "gohub.rules.cluster" -}}
# Whether there are optional kinds.
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  resourceNames:
    - httproutes.gateway.networking.k8s.io
    - servicemonitors.monitoring.coreos.com
  verbs: [get, list, watch]
{{- if and .Values.metrics.enabled .Values.metrics.auth }}
# Who asks for metrics, and whether they may.
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}
{{- end -}}

{{/* What it may do in its own namespace: elect a leader, and tell. */}}
{{- define "gohub.rules.own" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "gohub.operator" . }}]
  verbs: [get, update, patch]
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
