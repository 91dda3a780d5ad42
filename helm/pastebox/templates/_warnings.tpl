{{/* What can work and may not be meant, as JSON: NOTES.txt says it. */}}
{{- define "pastebox.warnings" -}}
{{- $v := .Values -}}
{{- $w := list -}}
{{- $n := include "pastebox.replicas" . -}}
{{- if and (not $v.image.digest) (has $v.image.tag (list "latest" "main" "master" "stable" "edge")) }}{{ $w = append $w (printf "image.tag: %s moves: two pods may run two versions. Give a version, or image.digest" $v.image.tag) }}{{ end -}}
{{- if not (($v.resources | default dict).limits | default dict).memory }}{{ $w = append $w "resources.limits.memory is not set: a leak takes the node's memory" }}{{ end -}}
{{- if $v.secrets.values }}{{ $w = append $w "secrets.values are kept in Helm's release: whoever may read it reads them. Prefer secrets.existing or secrets.generate" }}{{ end -}}
{{- if include "pastebox.secretThere" (dict "root" . "name" "") | fromJson -}}
{{- range include "pastebox.secretsOfOthers" . | fromJsonArray -}}
{{- if not (include "pastebox.secretThere" (dict "root" $ "name" .name) | fromJson) }}{{ $w = append $w (printf "%s: there is no Secret %s yet: pods wait for it" .value .name) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if $v.diagnosticMode.enabled }}{{ $w = append $w "diagnosticMode.enabled: new pods serve nothing and never become ready" }}{{ end -}}
{{- if and (eq $n "1") (not $v.autoscaling.enabled) }}{{ $w = append $w "replicas: 1: when its node goes, nothing serves until another one has started; there is no PodDisruptionBudget" }}{{ end -}}
{{- if include "pastebox.isExclusiveVolume" . }}{{ $w = append $w "persistence.accessModes without ReadWriteMany: an upgrade stops the old pod before it starts the new one" }}{{ end -}}
{{- if has (toString $v.reload) (list "true" "auto" "events" "poll") }}{{ $w = append $w (printf "reload: %v is for development: each pod loads whatever changes under it" $v.reload) }}{{ end -}}
{{- range $v.acceptRisks }}{{ $w = append $w (printf "acceptRisks: [%s]: a refusal is switched off" .) }}{{ end -}}
{{- with include "pastebox.inis" . -}}
{{- $ini := . -}}
{{- if regexMatch "(?m)^\\s*(host|listen|bind)\\s*[=:]\\s*(127\\.|localhost|\\[?::1)" $ini }}{{ $w = append $w "the INI binds to loopback, where no Service reaches it: the chart has it bind to every address (PASTEBOX_HOST)" }}{{ end -}}
{{- if regexMatch "(?m)^\\s*debug\\s*[=:]\\s*(?i:true|on|yes|1)\\s*$" $ini }}{{ $w = append $w "the INI has debug = true: errors may show code to everybody" }}{{ end -}}
{{- if and (eq $v.persistence.mode "none") (include "pastebox.usesSqlite" $) }}{{ $w = append $w "persistence.mode: none with SQLite: the data ends with its pod" }}{{ end -}}
{{- end -}}
{{- if and (include "pastebox.needsLease" .) (not $v.rbac.create) }}{{ $w = append $w (printf "rbac.create: false: the service account %s must be let get, create and update Leases, or no pod starts" (include "pastebox.serviceAccountName" .)) }}{{ end -}}
{{- if and (include "pastebox.needsLease" .) (not $v.serviceAccount.create) (not $v.serviceAccount.name) }}{{ $w = append $w "serviceAccount.create: false without a name: the namespace's default account gets the right to use Leases" }}{{ end -}}
{{- if and $v.config.existingSecret (eq $v.config.onChange "roll") }}{{ $w = append $w (printf "config.existingSecret: %s: a change of it replaces no pod, for Helm does not see it; config.onChange: reload does not need Helm" $v.config.existingSecret) }}{{ end -}}
{{- if and $v.serviceMonitor.enabled (not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) }}{{ $w = append $w "serviceMonitor.enabled: this cluster does not know monitoring.coreos.com/v1" }}{{ end -}}
{{- if and $v.autoscaling.enabled $v.autoscaling.targetCPU (not (($v.resources | default dict).requests | default dict).cpu) }}{{ $w = append $w "autoscaling.targetCPU is a share of resources.requests.cpu, which is not set" }}{{ end -}}
{{- if gt (int (include "pastebox.gracePeriod" .)) 600 }}{{ $w = append $w (printf "a pod may take %s s to stop; managed clusters may not wait so long for a node" (include "pastebox.gracePeriod" .)) }}{{ end -}}
{{- toJson $w -}}
{{- end -}}
