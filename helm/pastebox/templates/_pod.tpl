{{/* The pod: its security, what is placed in it, and its volumes. */}}

{{- define "pastebox.podSecurityContext" -}}
{{- $context := deepCopy .Values.podSecurityContext -}}
{{- if include "pastebox.isOpenShift" . }}{{ $context = omit $context "runAsUser" "runAsGroup" "fsGroup" }}{{ end -}}
{{- toYaml $context -}}
{{- end -}}

{{/* What pods of every kind have in common; account is the service account. */}}
{{- define "pastebox.podBasics" -}}
{{- $v := .root.Values -}}
serviceAccountName: {{ .account }}
# The token is mounted below, where the lock needs it, short-lived and in one container only.
automountServiceAccountToken: false
# A Service called pastebox would set PASTEBOX_PORT.
enableServiceLinks: false
securityContext:
  {{- include "pastebox.podSecurityContext" .root | nindent 2 }}
{{- with $v.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $v.affinity }}
affinity:
  {{- tpl (toYaml .) $.root | nindent 2 }}
{{- end }}
{{- with $v.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "pastebox.volumes" -}}
{{- $v := .root.Values -}}
- name: run
  emptyDir: {medium: Memory, sizeLimit: 16Mi}
- name: tmp
  emptyDir: {}
{{- if eq $v.persistence.mode "shared" }}
- name: data
  persistentVolumeClaim:
    claimName: {{ $v.persistence.existingClaim | default (printf "%s-data" (include "pastebox.fullname" .root)) }}
{{- else if or (eq $v.persistence.mode "none") .isJob }}
- name: data
  emptyDir: {}
{{- end }}
{{- with include "pastebox.configSources" . | trim }}
- name: config
  projected:
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- with include "pastebox.secretSources" . | trim }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- if .token }}
- name: token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
      - configMap:
          name: kube-root-ca.crt
          items:
            - {key: ca.crt, path: ca.crt}
      - downwardAPI:
          items:
            - path: namespace
              fieldRef: {fieldPath: metadata.namespace}
{{- end }}
{{- if and $v.frontend.enabled (not .isJob) }}
- name: frontend
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
- name: frontend-tmp
  emptyDir: {}
- name: frontend-config
  configMap:
    name: {{ include "pastebox.fullname" .root }}-frontend
{{- if $v.frontend.static }}
- name: static
  emptyDir: {}
{{- end }}
{{- end }}
{{- with include "pastebox.tpl" (dict "root" .root "value" $v.extraVolumes) }}
{{ . }}
{{- end }}
{{- end -}}

{{- define "pastebox.topologySpread" -}}
{{- range .Values.topologySpread.keys }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: {{ $.Values.topologySpread.whenUnsatisfiable }}
  labelSelector:
    matchLabels:
      {{- include "pastebox.selectorLabels" $ | nindent 6 }}
  {{- if and (not (include "pastebox.isStatefulSet" $)) (include "pastebox.kubeAtLeast" (dict "root" $ "version" "1.27")) }}
  matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}

{{- define "pastebox.podAnnotations" -}}
{{- if eq .Values.config.onChange "roll" }}
checksum/config: {{ include "pastebox.checksum" . }}
{{- end }}
{{- if .Values.frontend.enabled }}
checksum/frontend: {{ include "pastebox.nginx" . | sha256sum }}
{{- end }}
{{- range $name, $value := .Values.podAnnotations }}
{{ $name }}: {{ tpl $value $ | quote }}
{{- end }}
{{- end -}}

{{- define "pastebox.podTemplate" -}}
{{- $token := include "pastebox.servingNeedsLease" . -}}
{{- $inInit := eq .Values.setup.mode "initContainer" -}}
metadata:
  labels:
    {{- include "pastebox.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/component: server
    {{- with merge (dict) .Values.podLabels .Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with include "pastebox.podAnnotations" . | trim }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  {{- include "pastebox.podBasics" (dict "root" . "account" (include "pastebox.serviceAccountName" .)) | nindent 2 }}
  terminationGracePeriodSeconds: {{ include "pastebox.gracePeriod" . }}
  {{- if and .Values.topologySpread.enabled (include "pastebox.isReplicated" .) }}
  topologySpreadConstraints:
    {{- include "pastebox.topologySpread" . | trim | nindent 4 }}
  {{- end }}
  {{- $extra := include "pastebox.tpl" (dict "root" . "value" .Values.initContainers) }}
  {{- $static := and .Values.frontend.enabled .Values.frontend.static }}
  {{- if or $extra $static (and $inInit (not .Values.diagnosticMode.enabled)) }}
  initContainers:
    {{- with $extra }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- if $static }}
    - {{- include "pastebox.copyStatic" . | nindent 6 }}
    {{- end }}
    {{- if and $inInit (not .Values.diagnosticMode.enabled) }}
    - {{- include "pastebox.container" (dict "root" . "name" "setup" "role" "setup" "token" $token) | nindent 6 }}
    {{- end }}
  {{- end }}
  containers:
    - {{- include "pastebox.container" (dict "root" . "name" "app" "role" "serve" "token" (and $token (not $inInit))) | nindent 6 }}
    {{- if .Values.frontend.enabled }}
    - {{- include "pastebox.frontend" . | nindent 6 }}
    {{- end }}
    {{- with include "pastebox.tpl" (dict "root" . "value" .Values.sidecars) }}
    {{- . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "pastebox.volumes" (dict "root" . "token" $token "isJob" false) | trim | nindent 4 }}
{{- end -}}
