{{/* The INI and the secrets. */}}

{{/* The pairs of a map, sorted, or of a list of maps of one key, in its order, as JSON. */}}
{{- define "pastebox.pairs" -}}
{{- $pairs := list -}}
{{- if kindIs "map" .value -}}
{{- range $name, $value := .value }}{{ $pairs = append $pairs (list $name $value) }}{{ end -}}
{{- else if kindIs "slice" .value -}}
{{- range .value -}}
{{- if or (not (kindIs "map" .)) (ne (len .) 1) }}{{ fail (printf "%s: found %s in the list, expected a map of one key" $.where (toJson .)) }}{{ end -}}
{{- range $name, $value := . }}{{ $pairs = append $pairs (list $name $value) }}{{ end -}}
{{- end -}}
{{- else -}}
{{- fail (printf "%s: found %s, expected a map, or a list of maps of one key" .where (toJson .value)) -}}
{{- end -}}
{{ toJson $pairs }}
{{- end -}}

{{/* One option of the INI; a value of several lines goes on in indented ones. */}}
{{- define "pastebox.option" -}}
{{- $where := printf "%s: [%s] %s" .where .section .name -}}
{{- if regexMatch "[=:\\r\\n]|^\\s|^[#;\\[]|^$" .name }}{{ fail (printf "%s: this cannot be the name of an option in an INI" $where) }}{{ end -}}
{{- $value := .value -}}
{{- if kindIs "slice" $value -}}
{{- range $value }}{{ if not (kindIs "string" .) }}{{ fail (printf "%s: found %s in the list, expected text: write %q" $where (toJson .) (toString .)) }}{{ end }}{{ end -}}
{{- $value = printf "\n%s" (join "\n" $value) -}}
{{- end -}}
{{- if not (kindIs "string" $value) }}{{ fail (printf "%s: found %s, expected text: write %q, in quotes" $where (toJson $value) (toString $value)) }}{{ end -}}
{{- $lines := splitList "\n" ($value | replace "\r\n" "\n" | trimSuffix "\n") -}}
{{- range rest $lines -}}
{{- if regexMatch "^\\s*[#;]" . }}{{ fail (printf "%s: the line %q would be a comment in an INI" $where .) }}{{ end -}}
{{- end -}}
{{- .name }} = {{ join "\n    " $lines }}
{{- end -}}

{{/* value is the sections, and where is how an error names them. */}}
{{- define "pastebox.sections" -}}
{{- range include "pastebox.pairs" . | fromJsonArray -}}
{{- $section := first . -}}
{{- if regexMatch "[\\]\\r\\n]|^$" $section }}{{ fail (printf "%s: %q cannot be the name of a section" $.where $section) }}{{ end -}}
[{{ $section }}]
{{ range include "pastebox.pairs" (dict "value" (last .) "where" (printf "%s: [%s]" $.where $section)) | fromJsonArray -}}
{{- if not (kindIs "invalid" (last .)) -}}
{{ include "pastebox.option" (dict "where" $.where "section" $section "name" (first .) "value" (last .)) }}
{{ end -}}
{{- end }}
{{ end -}}
{{- end -}}

{{- define "pastebox.ini" -}}
{{- include "pastebox.iniOf" (dict "form" .Values.config "where" "config.sections") -}}
{{- end -}}

{{- define "pastebox.iniOf" -}}
{{- if .form.sections }}{{ include "pastebox.sections" (dict "value" .form.sections "where" .where) | trimSuffix "\n" }}{{ else }}{{ .form.ini }}{{ end -}}
{{- end -}}

{{/* Whether the chart itself has an INI to store. */}}
{{- define "pastebox.hasOwnIni" -}}
{{- if or .Values.config.ini .Values.config.sections }}true{{ end -}}
{{- end -}}

{{/* Every INI that the chart can read, one after the other, for what is looked for in all of them. */}}
{{- define "pastebox.inis" -}}
{{- if include "pastebox.hasOwnIni" . }}{{ include "pastebox.ini" . }}{{ end -}}
{{- range include "pastebox.instances" . | fromJsonArray }}
{{ .ini }}
{{- end -}}
{{- end -}}

{{- define "pastebox.configSecretData" -}}
{{- if include "pastebox.hasOwnIni" . }}
app.ini: {{ include "pastebox.ini" . | b64enc }}
{{- end }}
{{- range include "pastebox.instances" . | fromJsonArray }}
instance.{{ .name }}.ini: {{ .ini | b64enc }}
{{- end }}
{{- range $name, $text := .Values.config.overlays }}
overlay.{{ $name }}: {{ $text | b64enc }}
{{- end }}
{{- range $name, $text := .Values.secrets.values }}
secret.{{ $name }}: {{ $text | b64enc }}
{{- end }}
{{- end -}}

{{- define "pastebox.generatedName" -}}
{{ include "pastebox.fullname" . }}-generated
{{- end -}}

{{/* A Secret of the cluster, or all without a name, as JSON; empty where it is not there, and without a
     cluster. */}}
{{- define "pastebox.secretThere" -}}
{{- toJson (lookup "v1" "Secret" .root.Release.Namespace .name | default dict) -}}
{{- end -}}

{{/* The Secrets of others that pods mount, as JSON: which value names them, and the keys that are meant. */}}
{{- define "pastebox.secretsOfOthers" -}}
{{- $found := list -}}
{{- with .Values.config.existingSecret -}}
{{- $found = append $found (dict "value" "config.existingSecret" "name" (tpl . $) "keys" (list $.Values.config.existingSecretKey)) -}}
{{- end -}}
{{- range .Values.secrets.existing -}}
{{- $keys := list -}}
{{- range .items }}{{ $keys = append $keys .key }}{{ end -}}
{{- $found = append $found (dict "value" "secrets.existing" "name" (tpl .name $) "keys" $keys) -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Where each pod makes an INI for itself, its secrets follow from one seed, which is the same in all:
     the key instance_seed, given or generated. */}}
{{- define "pastebox.instanceSeed" -}}
{{- $v := .Values -}}
{{- $shares := or $v.persistence.existingClaim (eq $v.persistence.mode "shared") -}}
{{- $given := hasKey $v.secrets.values "instance_seed" -}}
{{- range $v.secrets.existing }}{{ range .items }}{{ if eq .path "instance_seed" }}{{ $given = true }}{{ end }}{{ end }}{{ end -}}
{{- if not $v.config.fromImage -}}
{{- else if or $given (has "instance_seed" $v.secrets.generate) -}}
given
{{- else if and (include "pastebox.isReplicated" .) (not $shares) (not (has "lock" $v.acceptRisks)) -}}
generated
{{- end -}}
{{- end -}}

{{/* The names of generated secrets, as JSON. */}}
{{- define "pastebox.generatedNames" -}}
{{- $names := .Values.secrets.generate -}}
{{- if eq (include "pastebox.instanceSeed" .) "generated" }}{{ $names = append $names "instance_seed" }}{{ end -}}
{{- toJson $names -}}
{{- end -}}

{{/* Generated secrets: what the cluster has stays; a new one is chance, and the same in every object
     of one render; without a cluster it is derived from the seed. */}}
{{- define "pastebox.generatedData" -}}
{{- $name := include "pastebox.generatedName" . -}}
{{- $data := (include "pastebox.secretThere" (dict "root" . "name" $name) | fromJson).data | default dict -}}
{{- $isOnline := include "pastebox.secretThere" (dict "root" . "name" "") | fromJson -}}
{{- $new := .Values.secrets.made | default dict -}}
{{- range include "pastebox.generatedNames" . | fromJsonArray }}
{{- $value := get $data . -}}
{{- if not $value -}}
{{- if $.Values.secrets.seed -}}
{{- $value = sha256sum (printf "%s/%s/%s/%s" $.Values.secrets.seed $.Release.Namespace $name .) | b64enc -}}
{{- else if not $isOnline -}}
{{- $what := ternary (printf "secrets.generate: [%s]" .) "config.fromImage in several pods needs a secret that they share:" (has . $.Values.secrets.generate) -}}
{{- fail (printf "%s without a cluster to keep it in: every render would make another one. Give secrets.seed, or secrets.existing" $what) -}}
{{- else -}}
{{- if not (hasKey $new .) }}{{ $_ := set $new . (randAlphaNum 48 | b64enc) }}{{ end -}}
{{- $value = get $new . -}}
{{- end -}}
{{- end }}
{{ . }}: {{ $value }}
{{- end }}
{{- $_ := set .Values.secrets "made" $new -}}
{{- end -}}

{{- define "pastebox.configSecretName" -}}
{{ include "pastebox.fullname" .root }}-config{{ .suffix | default "" }}
{{- end -}}

{{- define "pastebox.hasConfigSecret" -}}
{{- if or (include "pastebox.hasOwnIni" .) .Values.instances .Values.config.overlays .Values.secrets.values }}true{{ end -}}
{{- end -}}

{{/* What /etc/pastebox holds: a directory, so that a change reaches the pod. */}}
{{- define "pastebox.configSources" -}}
{{- $root := .root }}
{{- $own := include "pastebox.configSecretName" . }}
{{- if $root.Values.config.existingSecret }}
- secret:
    name: {{ tpl $root.Values.config.existingSecret $root }}
    items:
      - {key: {{ $root.Values.config.existingSecretKey | quote }}, path: app.ini}
{{- end }}
{{- if or (include "pastebox.hasOwnIni" $root) $root.Values.instances $root.Values.config.overlays }}
- secret:
    name: {{ $own }}
    items:
      {{- if include "pastebox.hasOwnIni" $root }}
      - {key: app.ini, path: app.ini}
      {{- end }}
      {{- range $name, $_ := $root.Values.instances }}
      - {key: {{ printf "instance.%s.ini" $name | quote }}, path: {{ printf "instances/%s.ini" $name | quote }}}
      {{- end }}
      {{- range $name, $_ := $root.Values.config.overlays }}
      - {key: {{ printf "overlay.%s" $name | quote }}, path: {{ printf "%s%s" (ternary "" "conf.d/" $root.Values.config.fromImage) $name | quote }}}
      {{- end }}
{{- end }}
{{- end -}}

{{- define "pastebox.secretSources" -}}
{{- $root := .root }}
{{- with $root.Values.secrets.values }}
- secret:
    name: {{ include "pastebox.configSecretName" $ }}
    items:
      {{- range $name, $_ := . }}
      - {key: {{ printf "secret.%s" $name | quote }}, path: {{ $name | quote }}}
      {{- end }}
{{- end }}
{{- if include "pastebox.generatedNames" $root | fromJsonArray }}
- secret:
    name: {{ include "pastebox.generatedName" $root }}{{ .suffix | default "" }}
{{- end }}
{{- range $root.Values.secrets.existing }}
- secret:
    name: {{ tpl .name $root }}
    {{- with .items }}
    items:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* A changed configuration makes a new pod. Generated secrets never change, so they do not count. */}}
{{- define "pastebox.checksum" -}}
{{ include "pastebox.configSecretData" . | sha256sum }}
{{- end -}}
