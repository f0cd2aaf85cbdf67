{{- define "nectary-core.name" -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "nectary-core.reader" -}}
{{- printf "%s-reader" (include "nectary-core.name" .) -}}
{{- end }}

{{- define "nectary-core.selector" -}}
app.kubernetes.io/name: nectary-core
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "nectary-core.labels" -}}
{{ include "nectary-core.selector" . }}
app.kubernetes.io/component: core-instance
app.kubernetes.io/part-of: nectary
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "nectary-core.pairs" -}}
{{- $pairs := list -}}
{{- range $key, $value := . -}}{{- $pairs = append $pairs (printf "%s=%s" $key $value) -}}{{- end -}}
{{- join "," $pairs -}}
{{- end }}

{{- define "nectary-core.tolerations" -}}
{{- $all := list -}}
{{- range . -}}
{{- $seconds := "" -}}
{{- if hasKey . "tolerationSeconds" -}}{{- $seconds = toString .tolerationSeconds -}}{{- end -}}
{{- $all = append $all (printf "%s=%s:%s:%s:%s" (default "" .key) (default "Equal" .operator) (default "" .value) (default "" .effect) $seconds) -}}
{{- end -}}
{{- join "," $all -}}
{{- end }}
