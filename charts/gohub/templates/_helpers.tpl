{{- define "gohub.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What the names of the operator's objects begin with. */}}
{{- define "gohub.operator" -}}
{{ include "gohub.fullname" . }}-operator
{{- end -}}

{{/* What selects the operator's pods, and nothing else. */}}
{{- define "gohub.selectorLabels" -}}
app.kubernetes.io/name: gohub-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gohub.operatorLabels" -}}
{{ include "gohub.selectorLabels" . }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* The labels of every object, without its component. */}}
{{- define "gohub.labels" -}}
{{- with .Values.commonLabels }}
{{- toYaml . | nindent 0 }}
{{ end -}}
{{ include "gohub.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: gohub
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "gohub.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "gohub.operator" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image's name: (list $ .Values.image). */}}
{{- define "gohub.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $image.repository -}}
{{- if $image.digest -}}
@{{ $image.digest }}
{{- else -}}
:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The namespaces that are watched, as a JSON list; none is all of them. */}}
{{- define "gohub.watched" -}}
{{- if eq .Values.rbac.scope "cluster" -}}
{{- if .Values.watchNamespaces -}}
{{- fail "watchNamespaces needs rbac.scope=namespace; with rbac.scope=cluster the operator watches every namespace" -}}
{{- end -}}
[]
{{- else -}}
{{- default (list .Release.Namespace) .Values.watchNamespaces | uniq | sortAlpha | toJson -}}
{{- end -}}
{{- end -}}

{{/* What the restricted pod security standard asks of a pod. The images name a
     user that is not root; some clusters choose their own. */}}
{{- define "gohub.podSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "gohub.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "gohub.hasPrometheusOperator" -}}
{{- if .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}yes{{ end -}}
{{- end -}}

{{- define "gohub.clusterName" -}}
{{- default .Release.Name .Values.cluster.name -}}
{{- end -}}

{{/* Where clients of the cluster connect, within Kubernetes. */}}
{{- define "gohub.clusterURL" -}}
{{- $tls := hasKey .Values.cluster.spec "tls" -}}
{{- $port := dig "service" "port" 80 .Values.cluster.spec | int -}}
{{- printf "%s://%s.%s.svc:%d/ws" (ternary "wss" "ws" $tls) (include "gohub.clusterName" .) .Release.Namespace $port -}}
{{- end -}}

{{/* Whether there is a helm test: hubs that ask for tokens let nobody in without. */}}
{{- define "gohub.hasTest" -}}
{{- if and .Values.cluster.create .Values.test.enabled (or .Values.test.tokenSecret (not (hasKey .Values.cluster.spec "auth"))) }}yes{{ end -}}
{{- end -}}
