{{/* Names and labels. */}}

{{- define "pastebox.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 48 characters: the longest suffix (a Job's) and the hash of a StatefulSet's revision fit into the
     63 of a label. What is cut is told apart by a hash of the whole. */}}
{{- define "pastebox.fullname" -}}
{{- $name := include "pastebox.name" . -}}
{{- $full := .Release.Name -}}
{{- if not (contains $name .Release.Name) }}{{ $full = printf "%s-%s" .Release.Name $name }}{{ end -}}
{{- $full = .Values.fullnameOverride | default $full -}}
{{- if gt (len $full) 48 -}}
{{- printf "%s-%s" ($full | trunc 39 | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{- define "pastebox.selectorLabels" -}}
app.kubernetes.io/name: {{ include "pastebox.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Of objects, not of pods: a new version of the chart alone replaces no pod. */}}
{{- define "pastebox.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "pastebox.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "pastebox.metadata" -}}
name: {{ printf "%s%s" (include "pastebox.fullname" .root) (.suffix | default "") }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "pastebox.labels" .root | nindent 2 }}
{{- end -}}

{{- define "pastebox.image" -}}
{{- $image := .image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .default }}
{{- end -}}
{{- end -}}

{{- define "pastebox.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "pastebox.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* A list or map of values as YAML; a text is a template of it. */}}
{{- define "pastebox.tpl" -}}
{{- if .value -}}
{{- if kindIs "string" .value -}}
{{ tpl .value .root | trim }}
{{- else -}}
{{ tpl (toYaml .value) .root }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether Kubernetes is at least of a version: its APIs are what a render can be checked by, as
     the list of API versions is empty without a cluster. */}}
{{- define "pastebox.kubeAtLeast" -}}
{{- if semverCompare (printf ">=%s-0" .version) .root.Capabilities.KubeVersion.Version }}true{{ end -}}
{{- end -}}

{{- define "pastebox.isOpenShift" -}}
{{- if kindIs "bool" .Values.openshift -}}
{{- if .Values.openshift }}true{{ end -}}
{{- else if .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
true
{{- end -}}
{{- end -}}
