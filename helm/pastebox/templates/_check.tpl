{{/* What cannot work is refused, each with a sentence that names the value. */}}

{{- define "pastebox.check" -}}
{{- include "pastebox.checkConfig" . -}}
{{- include "pastebox.checkInstances" . -}}
{{- include "pastebox.checkReplicas" . -}}
{{- include "pastebox.checkTraffic" . -}}
{{- include "pastebox.checkSetup" . -}}
{{- end -}}

{{- define "pastebox.checkConfig" -}}
{{- $c := .Values.config -}}
{{- $forms := list -}}
{{- if $c.ini }}{{ $forms = append $forms "config.ini" }}{{ end -}}
{{- if $c.sections }}{{ $forms = append $forms "config.sections" }}{{ end -}}
{{- if $c.existingSecret }}{{ $forms = append $forms "config.existingSecret" }}{{ end -}}
{{- if $c.fromImage }}{{ $forms = append $forms "config.fromImage" }}{{ end -}}
{{- if .Values.instances }}{{ $forms = append $forms "instances" }}{{ end -}}
{{- if gt (len $forms) 1 -}}
{{- fail (printf "%s are given together, expected one of them" (join " and " $forms)) -}}
{{- else if not $forms -}}
{{- fail "there is no configuration: give config.ini (--set-file config.ini=app.ini), config.sections, config.existingSecret, config.fromImage, or instances" -}}
{{- end -}}
{{- if and $c.ini (not (regexMatch "(?m)^\\[" $c.ini)) -}}
{{- fail "config.ini has no [section]: is it the name of a file? --set-file config.ini=app.ini reads one" -}}
{{- end -}}
{{- range .Values.secrets.generate -}}
{{- if hasKey $.Values.secrets.values . }}{{ fail (printf "secrets.generate and secrets.values both have %s" .) }}{{ end -}}
{{- end -}}
{{- range include "pastebox.secretsOfOthers" . | fromJsonArray -}}
{{- $one := . -}}
{{- with include "pastebox.secretThere" (dict "root" $ "name" .name) | fromJson -}}
{{- $there := .data | default dict -}}
{{- range $one.keys -}}
{{- if not (or (hasKey $there .) (has "secrets" $.Values.acceptRisks)) }}{{ fail (printf "%s: the Secret %s has no key %s, so no pod could start; it has: %s (acceptRisks: [secrets] if it is still to come)" $one.value $one.name . (keys $there | sortAlpha | join ", " | default "none")) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := .Values.env -}}
{{- if hasPrefix "PASTEBOX_" $name }}{{ fail (printf "env: %s is a setting: give settings.%s, or the value that stands for it" $name ($name | trimPrefix "PASTEBOX_" | lower)) }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* A comment that speaks of SQLite is none. */}}
{{- define "pastebox.usesSqlite" -}}
{{- if regexMatch "(?m)^[^#;\\n]*\\bsqlite(\\+[a-z]+)?://" (include "pastebox.inis" .) }}true{{ end -}}
{{- end -}}

{{- define "pastebox.checkReplicas" -}}
{{- $v := .Values -}}
{{- $n := include "pastebox.replicas" . -}}
{{- $many := include "pastebox.isReplicated" . -}}
{{- $what := ternary "autoscaling" (printf "replicas: %s" $n) $v.autoscaling.enabled -}}
{{- if and $v.autoscaling.enabled (not (kindIs "invalid" $v.replicas)) -}}
{{- fail (printf "replicas: %v is given beside autoscaling.enabled, and the autoscaler decides: take replicas away" $v.replicas) -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- fail (printf "autoscaling.minReplicas: %v is more than autoscaling.maxReplicas: %v" $v.autoscaling.minReplicas $v.autoscaling.maxReplicas) -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (eq $v.autoscaling.kind "hpa") -}}
{{- if lt (int $v.autoscaling.minReplicas) 1 }}{{ fail "autoscaling.minReplicas: 0 needs autoscaling.kind: keda" }}{{ end -}}
{{- if not (or $v.autoscaling.targetCPU $v.autoscaling.targetMemory $v.autoscaling.metrics) }}{{ fail "autoscaling has nothing to go by: give targetCPU, targetMemory or metrics" }}{{ end -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (eq $v.autoscaling.kind "keda") (not $v.autoscaling.triggers) -}}
{{- fail "autoscaling.kind: keda has nothing to go by: give autoscaling.triggers" -}}
{{- end -}}
{{- if and $many (include "pastebox.usesSqlite" .) (not (has "sqlite" $v.acceptRisks)) -}}
{{- fail (printf "%s with SQLite: each pod would have a database of its own, or several would write one file. Set replicas: 1 and persistence.mode: perReplica, or use a database server (acceptRisks: [sqlite] if this database may be apart)" $what) -}}
{{- end -}}
{{- if and $many (include "pastebox.isExclusiveVolume" .) -}}
{{- fail (printf "%s with persistence.mode: shared and persistence.accessModes: [%s]: one node only could mount the volume. Use ReadWriteMany, or persistence.mode: perReplica" $what (join ", " $v.persistence.accessModes)) -}}
{{- end -}}
{{- $lock := include "pastebox.lock" . -}}
{{- $needs := or (eq $v.setup.mode "leader") (eq $v.setup.mode "initContainer") -}}
{{- if and $many $needs (not (has "lock" $v.acceptRisks)) -}}
{{- if eq $lock "none" }}{{ fail (printf "setup.lock: none with %s and setup.mode: %s: the pods would set up at the same time. Use setup.lock: auto" $what $v.setup.mode) }}{{ end -}}
{{- if and (eq $lock "file") (ne $v.persistence.mode "shared") }}{{ fail (printf "setup.lock: file with %s: the pods share no volume, so each would set up for itself. Use setup.lock: auto, or persistence.mode: shared" $what) }}{{ end -}}
{{- end -}}
{{- if and $v.pdb.enabled (not (has "pdb" $v.acceptRisks)) -}}
{{- $min := toString $v.pdb.minAvailable -}}
{{- $blocks := or (eq $min "100%") (and (regexMatch "^[0-9]+$" $min) (ge (int $min) (int $n)) (gt (int $n) 0)) -}}
{{- if $blocks }}{{ fail (printf "pdb.minAvailable: %s with %s: no pod could ever be moved from its node. Give less, or pdb.maxUnavailable" $min $what) }}{{ end -}}
{{- if and (kindIs "invalid" $v.pdb.minAvailable) (has (toString $v.pdb.maxUnavailable) (list "0" "0%")) }}{{ fail (printf "pdb.maxUnavailable: %v: no pod could ever be moved from its node" $v.pdb.maxUnavailable) }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "pastebox.checkTraffic" -}}
{{- $v := .Values -}}
{{- if and $v.ingress.enabled $v.httpRoute.enabled }}{{ fail "ingress.enabled and httpRoute.enabled are given together, expected one of them" }}{{ end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) }}{{ fail "httpRoute.enabled needs httpRoute.parentRefs: the gateway that it belongs to" }}{{ end -}}
{{- if and (or $v.ingress.enabled $v.httpRoute.enabled) (ne $v.server.protocol "http") (not $v.frontend.enabled) }}{{ fail (printf "server.protocol: %s behind an Ingress or HTTPRoute, which speak HTTP: use frontend.enabled" $v.server.protocol) }}{{ end -}}
{{- if eq (int $v.server.port) (int $v.health.port) }}{{ fail (printf "server.port and health.port are both %v" $v.health.port) }}{{ end -}}
{{- if and (eq $v.drain.method "preStop") (not (include "pastebox.kubeAtLeast" (dict "root" . "version" "1.30"))) }}{{ fail (printf "drain.method: preStop needs Kubernetes 1.30, this is %s: use auto or process" .Capabilities.KubeVersion.Version) }}{{ end -}}
{{- $needed := int (include "pastebox.neededGracePeriod" .) -}}
{{- with $v.terminationGracePeriodSeconds -}}
{{- if lt (int .) $needed }}{{ fail (printf "terminationGracePeriodSeconds: %v is less than the %d s that drain.delay: %v and drain.timeout: %v need with 5 s for pastebox: requests would be cut off" . $needed $v.drain.delay $v.drain.timeout) }}{{ end -}}
{{- end -}}
{{- if and $v.frontend.enabled $v.server.runner (not (contains (get (dict "fastcgi" "fcgi" "scgi" "scgi") $v.frontend.protocol) $v.server.runner)) }}{{ fail (printf "server.runner: %s does not speak frontend.protocol: %s" $v.server.runner $v.frontend.protocol) }}{{ end -}}
{{- end -}}

{{- define "pastebox.checkSetup" -}}
{{- $v := .Values -}}
{{- if and (eq $v.setup.mode "job") $v.config.fromImage (ne $v.persistence.mode "shared") (not (has "lock" $v.acceptRisks)) }}{{ fail "setup.mode: job with config.fromImage: an INI that the Job makes is in none of the pods. Use setup.mode: leader, persistence.mode: shared, or acceptRisks: [lock] if the image has an INI" }}{{ end -}}
{{- $isHook := and (eq $v.setup.mode "job") $v.setup.useHooks -}}
{{- if and $isHook (eq (include "pastebox.lock" .) "lease") $v.serviceAccount.create }}{{ fail "setup.lock: lease with setup.useHooks: the Job comes before the service account of this chart. Give serviceAccount.create: false and serviceAccount.name, or setup.lock: auto" }}{{ end -}}
{{- if and $isHook (eq $v.persistence.mode "shared") (not $v.persistence.existingClaim) }}{{ fail "setup.mode: job with setup.useHooks and persistence.mode: shared: the Job comes before the claim. Give persistence.existingClaim, or setup.useHooks: false" }}{{ end -}}
{{- if and (eq $v.setup.mode "job") (eq $v.persistence.mode "perReplica") (not (has "lock" $v.acceptRisks)) }}{{ fail "setup.mode: job with persistence.mode: perReplica: the Job sees none of the volumes. Use setup.mode: leader (acceptRisks: [lock] if the setup concerns a database server only)" }}{{ end -}}
{{- if and (eq $v.setup.mode "job") (not $v.setup.useHooks) (not (has (include "pastebox.lock" .) (list "lease" "postgresql"))) (ne $v.persistence.mode "shared") }}{{ fail (printf "setup.lock: %s with setup.mode: job and setup.useHooks: false: the pods could not see that the Job is done. Use setup.lock: auto" (include "pastebox.lock" .)) }}{{ end -}}
{{- end -}}
