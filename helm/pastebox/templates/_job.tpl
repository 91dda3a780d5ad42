{{/* The pod of the setup Job. */}}
{{- define "pastebox.jobPod" -}}
{{- $root := .root -}}
{{- $account := include "pastebox.serviceAccountName" $root -}}
{{- if and $root.Values.setup.useHooks $root.Values.serviceAccount.create }}{{ $account = "default" }}{{ end -}}
metadata:
  labels:
    {{- include "pastebox.selectorLabels" $root | nindent 4 }}
    app.kubernetes.io/component: setup
    {{- with merge (dict) $root.Values.podLabels $root.Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "pastebox.podBasics" (dict "root" $root "account" $account) | nindent 2 }}
  restartPolicy: Never
  {{- with include "pastebox.tpl" (dict "root" $root "value" $root.Values.initContainers) }}
  initContainers:
    {{- . | nindent 4 }}
  {{- end }}
  containers:
    - {{- include "pastebox.container" (dict "root" $root "name" "setup" "role" "setup" "token" .token) | nindent 6 }}
  volumes:
    {{- include "pastebox.volumes" . | trim | nindent 4 }}
{{- end -}}
