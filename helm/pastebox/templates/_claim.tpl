{{/* The claim of a volume. */}}
{{- define "pastebox.claim" -}}
accessModes:
  {{- include "pastebox.accessModes" . | nindent 2 }}
{{- with .Values.persistence.storageClass }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .Values.persistence.size }}
{{- end -}}
