{{/* Durations as pastebox reads them, and the budgets that follow from them. */}}

{{/* Seconds of 20, 20s, 500ms or 1h30m, with a fraction where there is one. */}}
{{- define "pastebox.seconds" -}}
{{- $factors := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "" 1.0 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9]+(\\.[0-9]+)?(ms|s|m|h)?" (toString .) -1 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $sum = addf $sum (mulf (trimSuffix $unit . | float64) (get $factors $unit)) -}}
{{- end -}}
{{ $sum }}
{{- end -}}

{{- define "pastebox.wholeSeconds" -}}
{{ ceil (include "pastebox.seconds" . | float64) | int }}
{{- end -}}

{{/* Nginx stops first: the application goes on accepting for this many seconds after it. */}}
{{- define "pastebox.frontendLead" -}}
{{- if .Values.frontend.enabled }}5{{ else }}0{{ end -}}
{{- end -}}

{{- define "pastebox.usesPreStopSleep" -}}
{{- $can := include "pastebox.kubeAtLeast" (dict "root" . "version" "1.30") -}}
{{- $delay := int (include "pastebox.wholeSeconds" .Values.drain.delay) -}}
{{- if and $can $delay (ne .Values.drain.method "process") }}true{{ end -}}
{{- end -}}

{{/* What pastebox itself waits after TERM; preStop.sleep takes whole seconds. */}}
{{- define "pastebox.drainDelay" -}}
{{- if include "pastebox.usesPreStopSleep" . -}}
{{ include "pastebox.frontendLead" . }}s
{{- else if .Values.frontend.enabled -}}
{{ addf (include "pastebox.seconds" .Values.drain.delay | float64) (include "pastebox.frontendLead" . | float64) }}s
{{- else -}}
{{ .Values.drain.delay }}
{{- end -}}
{{- end -}}

{{/* The delay, the timeout, and 5 s for pastebox: as in compose.yaml and in "pastebox explain". */}}
{{- define "pastebox.neededGracePeriod" -}}
{{- $delay := include "pastebox.seconds" .Values.drain.delay | float64 -}}
{{- if include "pastebox.usesPreStopSleep" . }}{{ $delay = include "pastebox.wholeSeconds" .Values.drain.delay | float64 }}{{ end -}}
{{- $timeout := include "pastebox.seconds" .Values.drain.timeout | float64 -}}
{{ addf $delay $timeout (include "pastebox.frontendLead" . | float64) 5 | ceil | int }}
{{- end -}}

{{- define "pastebox.gracePeriod" -}}
{{ .Values.terminationGracePeriodSeconds | default (include "pastebox.neededGracePeriod" .) | int }}
{{- end -}}

{{- define "pastebox.lockTimeout" -}}
{{ .Values.setup.lockTimeout | default .Values.setup.timeout }}
{{- end -}}

{{/* Seconds until a pod must be ready: it may wait for the database, then for another pod, then set
     up itself, then load. */}}
{{- define "pastebox.startupBudget" -}}
{{- $setup := .Values.setup -}}
{{- $sum := addf (include "pastebox.seconds" $setup.waitTimeout | float64) (include "pastebox.seconds" $setup.loadTimeout | float64) -}}
{{- if eq $setup.mode "leader" -}}
{{- $sum = addf $sum (include "pastebox.seconds" $setup.timeout | float64) -}}
{{- end -}}
{{- if or (eq $setup.mode "leader") (and (eq $setup.mode "job") (not $setup.useHooks)) -}}
{{- $sum = addf $sum (include "pastebox.seconds" (include "pastebox.lockTimeout" .) | float64) -}}
{{- end -}}
{{ ceil $sum | int }}
{{- end -}}

{{/* An init container has its own time, before the startup probe begins. */}}
{{- define "pastebox.progressDeadline" -}}
{{- $setup := .Values.setup -}}
{{- $sum := add (include "pastebox.startupBudget" . | int) (int .Values.minReadySeconds) 120 -}}
{{- if eq $setup.mode "initContainer" -}}
{{- $sum = add $sum (include "pastebox.wholeSeconds" $setup.timeout | int) (include "pastebox.wholeSeconds" (include "pastebox.lockTimeout" .) | int) -}}
{{- end -}}
{{ $sum }}
{{- end -}}
