{{/* The application's container, in each of its roles, and nginx before it. */}}

{{- define "pastebox.securityContext" -}}
{{- toYaml .Values.securityContext -}}
{{- end -}}

{{/* name, role (serve or setup), and whether it needs the token of the service account. */}}
{{- define "pastebox.container" -}}
{{- $root := .root -}}
{{- $v := $root.Values -}}
name: {{ .name }}
image: {{ include "pastebox.image" (dict "image" $v.image "default" $root.Chart.AppVersion) | quote }}
imagePullPolicy: {{ $v.image.pullPolicy }}
args: [{{ .role }}]
securityContext:
  {{- include "pastebox.securityContext" $root | nindent 2 }}
env:
  {{- include "pastebox.env" . | trim | nindent 2 }}
{{- with include "pastebox.envFrom" $root | trim }}
envFrom:
  {{- . | nindent 2 }}
{{- end }}
{{- if eq .role "serve" }}
ports:
  {{- range include "pastebox.instances" $root | fromJsonArray }}
  - {containerPort: {{ .port }}, protocol: TCP}
  {{- end }}
  {{- if not (or $v.frontend.enabled $v.instances) }}
  - {name: http, containerPort: {{ $v.server.port }}, protocol: TCP}
  {{- end }}
  - {name: health, containerPort: {{ $v.health.port }}, protocol: TCP}
{{- include "pastebox.probes" $root }}
{{- if include "pastebox.usesPreStopSleep" $root }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ include "pastebox.wholeSeconds" $v.drain.delay }}
{{- end }}
{{- end }}
{{- with $v.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: run, mountPath: /run/pastebox}
  - {name: tmp, mountPath: /tmp}
  {{- if include "pastebox.configSources" (dict "root" $root) | trim }}
  - {name: config, mountPath: {{ ternary "/etc/pastebox/conf.d" "/etc/pastebox" $v.config.fromImage }}, readOnly: true}
  {{- end }}
  {{- if include "pastebox.secretSources" (dict "root" $root) | trim }}
  - {name: secrets, mountPath: /run/secrets/pastebox, readOnly: true}
  {{- end }}
  {{- if .token }}
  - {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
  {{- end }}
  {{- if and $v.frontend.enabled (eq .role "serve") }}
  - {name: frontend, mountPath: /run/pastebox-frontend}
  {{- end }}
  {{- with include "pastebox.tpl" (dict "root" $root "value" $v.extraVolumeMounts) }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* A pod that is only to be looked at is alive and never ready: the old ones go on serving. */}}
{{- define "pastebox.probes" -}}
{{- $p := .Values.probes }}
{{- if not .Values.diagnosticMode.enabled }}
{{- $period := int ($p.startup.periodSeconds | default 10) }}
{{- $failures := div (add (int (include "pastebox.startupBudget" .)) $period -1) $period }}
startupProbe:
  httpGet: {path: /startupz, port: health}
  {{- toYaml (merge (dict) (omit $p.startup "failureThreshold") (dict "failureThreshold" ($p.startup.failureThreshold | default $failures | int))) | nindent 2 }}
livenessProbe:
  httpGet: {path: /livez, port: health}
  {{- toYaml $p.liveness | nindent 2 }}
{{- end }}
readinessProbe:
  httpGet: {path: /readyz, port: health}
  {{- toYaml $p.readiness | nindent 2 }}
{{- end -}}

{{/* Nginx goes on accepting for the delay. Then its image's stop signal, QUIT, lets it finish what it
     has; the application stops after it. */}}
{{- define "pastebox.frontend" -}}
{{- $f := .Values.frontend -}}
{{- $delay := include "pastebox.wholeSeconds" .Values.drain.delay -}}
name: frontend
image: {{ include "pastebox.image" (dict "image" $f.image "default" "latest") | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [nginx, -e, /dev/stderr, -c, /etc/nginx-pastebox/nginx.conf]
securityContext:
  {{- include "pastebox.securityContext" . | nindent 2 }}
ports:
  - {name: http, containerPort: {{ .Values.server.port }}, protocol: TCP}
readinessProbe:
  tcpSocket: {port: http}
  {{- toYaml .Values.probes.readiness | nindent 2 }}
lifecycle:
  preStop:
    {{- if include "pastebox.usesPreStopSleep" . }}
    sleep: {seconds: {{ $delay }}}
    {{- else }}
    exec: {command: [sleep, {{ $delay | quote }}]}
    {{- end }}
{{- with $f.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: frontend, mountPath: /run/pastebox-frontend}
  - {name: frontend-config, mountPath: /etc/nginx-pastebox, readOnly: true}
  - {name: frontend-tmp, mountPath: /tmp}
  {{- if $f.static }}
  - {name: static, mountPath: /srv/static, readOnly: true}
  {{- end }}
{{- end -}}

{{/* The static files are in the application's image only: copied once for nginx. */}}
{{- define "pastebox.copyStatic" -}}
name: copy-static
image: {{ include "pastebox.image" (dict "image" .Values.image "default" .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - python3
  - -c
  - |
    import shutil, sys
    for number, path in enumerate(sys.argv[1:]):
        shutil.copytree(path, f"/srv/static/{number}", copy_function=shutil.copyfile)
  {{- range .Values.frontend.static }}
  - {{ .path | quote }}
  {{- end }}
securityContext:
  {{- include "pastebox.securityContext" . | nindent 2 }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: static, mountPath: /srv/static}
{{- end -}}
