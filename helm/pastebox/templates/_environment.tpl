{{/* The environment of the application's container. */}}

{{/* Whether its host and port are a Unix socket that nginx connects to. */}}
{{- define "pastebox.socketPath" -}}
/run/pastebox-frontend/app.sock
{{- end -}}

{{- define "pastebox.runner" -}}
{{- if and .Values.frontend.enabled (not .Values.server.runner) -}}
{{ get (dict "fastcgi" "flup_fcgi_thread" "scgi" "flup_scgi_thread") .Values.frontend.protocol }}
{{- else -}}
{{ .Values.server.runner }}
{{- end -}}
{{- end -}}

{{/* PASTEBOX_* as a map; role is serve, or setup in a Job and an init container. */}}
{{- define "pastebox.settings" -}}
{{- $root := .root -}}
{{- $v := $root.Values -}}
{{- $env := dict "PASTEBOX_LOCK" (include "pastebox.lock" $root) -}}
{{- if $v.instances -}}
{{- $_ := set $env "PASTEBOX_MODE" "daemon" -}}
{{- $_ := set $env "PASTEBOX_INSTANCES_DIR" "/etc/pastebox/instances" -}}
{{- end -}}
{{- range $name, $value := $v.settings }}{{ $_ := set $env (printf "PASTEBOX_%s" (upper $name)) (toString $value) }}{{ end -}}
{{- if ne $v.setup.mode "none" -}}
{{- $_ := set $env "PASTEBOX_SETUP_TIMEOUT" (toString $v.setup.timeout) -}}
{{- $_ := set $env "PASTEBOX_LOCK_TIMEOUT" (include "pastebox.lockTimeout" $root) -}}
{{- end -}}
{{- if has (include "pastebox.lock" $root) (list "lease" "postgresql") }}{{ $_ := set $env "PASTEBOX_LOCK_NAME" (include "pastebox.fullname" $root) }}{{ end -}}
{{- with $v.setup.waitFor -}}
{{- $_ := set $env "PASTEBOX_WAIT_FOR" (tpl . $root) -}}
{{- $_ := set $env "PASTEBOX_WAIT_TIMEOUT" (toString $v.setup.waitTimeout) -}}
{{- end -}}
{{- if or $v.secrets.values $v.secrets.existing (include "pastebox.generatedNames" $root | fromJsonArray) }}{{ $_ := set $env "PASTEBOX_SECRETS_DIR" "/run/secrets/pastebox" }}{{ end -}}
{{- if include "pastebox.instanceSeed" $root }}{{ $_ := set $env "PASTEBOX_INSTANCE_SEED_FILE" "/run/secrets/pastebox/instance_seed" }}{{ end -}}
{{- if eq .role "serve" -}}
{{- if eq $v.setup.mode "leader" -}}
{{- $_ := set $env "PASTEBOX_SETUP" "auto" -}}
{{- else if and (eq $v.setup.mode "job") (not $v.setup.useHooks) -}}
{{- $_ := set $env "PASTEBOX_SETUP" "wait" -}}
{{- else -}}
{{- $_ := set $env "PASTEBOX_SETUP" "never" -}}
{{- end -}}
{{- if $v.frontend.enabled -}}
{{- $_ := set $env "PASTEBOX_HOST" (printf "unix:%s" (include "pastebox.socketPath" $root)) -}}
{{- else -}}
{{- $_ := set $env "PASTEBOX_HOST" "0.0.0.0" -}}
{{- if not $v.instances }}{{ $_ := set $env "PASTEBOX_PORT" (toString $v.server.port) }}{{ end -}}
{{- end -}}
{{- $_ := set $env "PASTEBOX_HEALTH_HOST" "0.0.0.0" -}}
{{- $_ := set $env "PASTEBOX_HEALTH_PORT" (toString $v.health.port) -}}
{{- $_ := set $env "PASTEBOX_DRAIN_DELAY" (include "pastebox.drainDelay" $root) -}}
{{- $_ := set $env "PASTEBOX_DRAIN_TIMEOUT" (toString $v.drain.timeout) -}}
{{- with include "pastebox.runner" $root }}{{ $_ := set $env "PASTEBOX_SERVER" . }}{{ end -}}
{{- with $v.server.readyPath }}{{ $_ := set $env "PASTEBOX_READY_PATH" . }}{{ end -}}
{{- if eq $v.config.onChange "reload" }}{{ $_ := set $env "PASTEBOX_ON_CONFIG_CHANGE" "reload" }}{{ end -}}
{{- if $v.reload }}{{ $_ := set $env "PASTEBOX_RELOAD" (toString $v.reload | replace "true" "auto") }}{{ end -}}
{{- with $v.workers }}{{ $_ := set $env "PASTEBOX_WORKERS" (toString .) }}{{ end -}}
{{- if $v.diagnosticMode.enabled }}{{ $_ := set $env "PASTEBOX_MODE" "sleep" }}{{ end -}}
{{- end -}}
{{- toYaml $env -}}
{{- end -}}

{{- define "pastebox.env" -}}
{{- range $name, $value := include "pastebox.settings" . | fromYaml }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- range $name, $value := .root.Values.env }}
- name: {{ $name }}
  value: {{ tpl $value $.root | quote }}
{{- end }}
{{- with include "pastebox.tpl" (dict "root" .root "value" .root.Values.extraEnv) }}
{{ . }}
{{- end }}
{{- end -}}

{{- define "pastebox.envFrom" -}}
{{- range .Values.envFrom.configMaps }}
- configMapRef:
    name: {{ tpl . $ }}
{{- end }}
{{- range .Values.envFrom.secrets }}
- secretRef:
    name: {{ tpl . $ }}
{{- end }}
{{- with include "pastebox.tpl" (dict "root" . "value" .Values.extraEnvFrom) }}
{{ . }}
{{- end }}
{{- end -}}
