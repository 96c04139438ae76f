{{- define "name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
{{- end }}

{{/* What all pods of a release have in common. */}}
{{- define "selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The spec of a pod, given the root, its arguments, and the shard as text or "" for one that serves all bots. */}}
{{- define "pod" -}}
{{- with omit .root.Values.podSpec (.without | default "") }}{{ toYaml . }}
{{ end -}}
# No token: the exporter never asks Kubernetes.
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
# More than shutdown_grace, within which the exporter ends by itself.
terminationGracePeriodSeconds: 30
volumes:
  - name: config
    configMap: {name: {{ include "name" .root }}}
  - name: secrets
    secret: {secretName: {{ .root.Values.secretName }}, defaultMode: 0440}
  {{- with .volumes }}{{ toYaml . | nindent 2 }}{{ end }}
containers:
  - name: exporter
    image: {{ printf "%s:%s" .root.Values.image.repository (.root.Values.image.tag | default .root.Chart.AppVersion) }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args: {{ concat .args (list "--log-format" .root.Values.logFormat) | toJson }}
    env:
      - {name: KORE_TREND_CONFIG, value: /etc/kore-trend-exporter/config.toml}
      - {name: CREDENTIALS_DIRECTORY, value: /etc/kore-trend-exporter/secrets}
      # A folder in the volume, made by the exporter for itself alone.
      - {name: STATE_DIRECTORY, value: /var/lib/kore-trend-exporter/state}
      - {name: KORE_TREND__ADMIN__LISTEN, value: "0.0.0.0:9468"}
      {{- with .env }}{{ toYaml . | nindent 6 }}{{ end }}
      {{- with .root.Values.env }}{{ toYaml . | nindent 6 }}{{ end }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    resources: {{ toJson .root.Values.resources }}
    volumeMounts:
      - {name: state, mountPath: /var/lib/kore-trend-exporter}
      - {name: config, mountPath: /etc/kore-trend-exporter/config.toml, subPath: config.toml, readOnly: true}
      - {name: secrets, mountPath: /etc/kore-trend-exporter/secrets, readOnly: true}
    {{- with .more }}{{ toYaml . | nindent 4 }}{{ end }}
{{- end }}
