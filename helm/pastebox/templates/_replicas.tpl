{{/* How many pods, what they share, and by what their setup is kept apart. */}}

{{/* The fewest pods that the chart plans for. */}}
{{- define "pastebox.replicas" -}}
{{- if .Values.autoscaling.enabled -}}
{{ int .Values.autoscaling.minReplicas }}
{{- else if kindIs "invalid" .Values.replicas -}}
2
{{- else -}}
{{ int .Values.replicas }}
{{- end -}}
{{- end -}}

{{- define "pastebox.isReplicated" -}}
{{- $most := int (include "pastebox.replicas" .) -}}
{{- if .Values.autoscaling.enabled }}{{ $most = int .Values.autoscaling.maxReplicas }}{{ end -}}
{{- if gt $most 1 }}true{{ end -}}
{{- end -}}

{{- define "pastebox.isStatefulSet" -}}
{{- if eq .Values.persistence.mode "perReplica" }}true{{ end -}}
{{- end -}}

{{- define "pastebox.accessModes" -}}
{{- $default := list "ReadWriteOnce" -}}
{{- if eq .Values.persistence.mode "shared" }}{{ $default = list "ReadWriteMany" }}{{ end -}}
{{- toYaml (.Values.persistence.accessModes | default $default) -}}
{{- end -}}

{{/* Whether the shared volume may be used by one pod or node only; of a given claim it is not known. */}}
{{- define "pastebox.isExclusiveVolume" -}}
{{- $p := .Values.persistence -}}
{{- if and (eq $p.mode "shared") (not (has "ReadWriteMany" (include "pastebox.accessModes" . | fromYamlArray))) }}true{{ end -}}
{{- end -}}

{{- define "pastebox.lock" -}}
{{- $setup := .Values.setup -}}
{{- if ne $setup.lock "auto" -}}
{{ $setup.lock }}
{{- else if or (eq $setup.mode "none") (and (eq $setup.mode "job") $setup.useHooks) -}}
none
{{- else if and (not (include "pastebox.isReplicated" .)) (ne .Values.persistence.mode "none") -}}
file
{{- else -}}
lease
{{- end -}}
{{- end -}}

{{- define "pastebox.needsLease" -}}
{{- if and (eq (include "pastebox.lock" .) "lease") (ne .Values.setup.mode "none") }}true{{ end -}}
{{- end -}}

{{/* Whether the pods that serve need it, or only the Job. */}}
{{- define "pastebox.servingNeedsLease" -}}
{{- if and (include "pastebox.needsLease" .) (or (ne .Values.setup.mode "job") (not .Values.setup.useHooks)) }}true{{ end -}}
{{- end -}}
