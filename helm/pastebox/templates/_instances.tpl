{{/* Several INIs in one pod, each an instance of daemon mode with an address of its own. */}}

{{/* The name, the INI, the port and the hosts of each, by name, as JSON. */}}
{{- define "pastebox.instances" -}}
{{- $found := list -}}
{{- range $name, $instance := .Values.instances -}}
{{- $ini := include "pastebox.iniOf" (dict "form" $instance "where" (printf "instances.%s.sections" $name)) -}}
{{- $port := $instance.port | default (include "pastebox.portOf" $ini | int) -}}
{{- $found = append $found (dict "name" $name "ini" $ini "port" $port "hosts" ($instance.hosts | default list)) -}}
{{- end -}}
{{ toJson $found }}
{{- end -}}

{{/* The port that an INI itself names; 0 where it names none, or not as a number. */}}
{{- define "pastebox.portOf" -}}
{{- $port := "" -}}
{{- range $section := list "server:main" "pastebox" -}}
{{- $text := regexFind (printf "(?ms)^\\[%s\\][^\\n]*\\n.*?(^\\[|\\z)" $section) $ -}}
{{- $port = regexFind "(?m)^port\\s*[=:]\\s*[0-9]+\\s*$" $text | regexFind "[0-9]+" | default $port -}}
{{- end -}}
{{ $port | default "0" }}
{{- end -}}

{{/* Ports of the containers, by which Services, policies and tests find them, as JSON: the name of a
     Service's port, its number, and what it leads to. */}}
{{- define "pastebox.ports" -}}
{{- $ports := list -}}
{{- range include "pastebox.instances" . | fromJsonArray -}}
{{- $ports = append $ports (dict "name" .name "port" .port "target" .port "number" .port) -}}
{{- end -}}
{{- toJson ($ports | default (list (dict "name" "http" "port" .Values.service.port "target" "http" "number" .Values.server.port))) -}}
{{- end -}}

{{- define "pastebox.checkInstances" -}}
{{- $v := .Values -}}
{{- $by := dict (toString $v.health.port) "health.port" -}}
{{- range include "pastebox.instances" . | fromJsonArray -}}
{{- $where := printf "instances.%s" .name -}}
{{- $form := get $v.instances .name -}}
{{- if and $form.ini $form.sections }}{{ fail (printf "%s: ini and sections are given together, expected one of them" $where) }}{{ end -}}
{{- if not (or $form.ini $form.sections) }}{{ fail (printf "%s has no configuration: give ini (--set-file %s.ini=%s.ini) or sections" $where $where .name) }}{{ end -}}
{{- if not (regexMatch "(?m)^\\[" .ini) }}{{ fail (printf "%s.ini has no [section]: is it the name of a file? --set-file %s.ini=%s.ini reads one" $where $where .name) }}{{ end -}}
{{- $said := include "pastebox.portOf" .ini | int -}}
{{- $port := int .port -}}
{{- if not $port }}{{ fail (printf "%s has no port: give one, or write port = ... into its [server:main]" $where) }}{{ end -}}
{{- if and $said (ne $said $port) }}{{ fail (printf "%s.port: %d is given, and its INI listens on %d" $where $port $said) }}{{ end -}}
{{- with get $by (toString $port) }}{{ fail (printf "%s has the port %d, and so has %s" $where $port .) }}{{ end -}}
{{- $_ := set $by (toString $port) $where -}}
{{- if regexMatch "(?ms)^\\[pastebox\\][^\\[]*^host\\s*[=:]\\s*(127\\.|localhost|\\[?::1)" .ini }}{{ fail (printf "%s: [pastebox] host is loopback, where no Service reaches it: take it away" $where) }}{{ end -}}
{{- if and $v.ingress.enabled (not .hosts) }}{{ fail (printf "ingress.enabled: %s has no hosts, by which it could be told from the others" $where) }}{{ end -}}
{{- if and $v.httpRoute.enabled (not .hosts) }}{{ fail (printf "httpRoute.enabled: %s has no hosts, by which it could be told from the others" $where) }}{{ end -}}
{{- end -}}
{{- if $v.instances -}}
{{- if $v.frontend.enabled }}{{ fail "frontend.enabled with instances: nginx would not know which one is meant. Use an Ingress or HTTPRoute" }}{{ end -}}
{{- if has $v.setup.mode (list "job" "initContainer") }}{{ fail (printf "setup.mode: %s with instances: each sets up itself when it starts. Use leader or none" $v.setup.mode) }}{{ end -}}
{{- if $v.service.nodePort }}{{ fail (printf "service.nodePort: %v with instances, which have a port each: take it away" $v.service.nodePort) }}{{ end -}}
{{- if $v.ingress.hosts }}{{ fail "ingress.hosts with instances: give each instance its hosts" }}{{ end -}}
{{- if $v.httpRoute.hostnames }}{{ fail "httpRoute.hostnames with instances: give each instance its hosts" }}{{ end -}}
{{- end -}}
{{- end -}}
