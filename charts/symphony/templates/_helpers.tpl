{{- define "symphony.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "symphony.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "symphony.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "symphony.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Names of objects of the whole cluster: two releases in two namespaces must not share them. */}}
{{- define "symphony.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "symphony.fullname" .) -}}
{{- end -}}

{{/* Of all pods of the release. */}}
{{- define "symphony.podLabels" -}}
app.kubernetes.io/name: {{ include "symphony.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Of the engine's own. */}}
{{- define "symphony.selectorLabels" -}}
{{ include "symphony.podLabels" . }}
app.kubernetes.io/component: engine
{{- end -}}

{{- define "symphony.labels" -}}
{{ include "symphony.podLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: symphony
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "symphony.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "symphony.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "symphony.subject" -}}
- kind: ServiceAccount
  name: {{ include "symphony.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- define "symphony.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "symphony.tlsSecret" -}}
{{- if .Values.api.tls.secretName -}}
{{- .Values.api.tls.secretName -}}
{{- else if .Values.api.tls.certManager.enabled -}}
{{- printf "%s-tls" (include "symphony.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* How the engine is started, by the Deployment and by the hook alike. */}}
{{- define "symphony.engineArgs" -}}
- --mode=k8s
{{- with .Values.namespaces }}
- --namespaces={{ join "," . }}
{{- end }}
{{- with include "symphony.heldRoles" . }}
- --kubernetes-held-roles={{ . }}
{{- end }}
{{- if .Values.config }}
- --config=/etc/symphony/config.yaml
{{- end }}
{{- end -}}

{{/*
Refuses keys of `config` that the chart says by flags, which beat the file without a word, or that would contradict its ports,
probes and rights.
*/}}
{{- define "symphony.refuseConfig" -}}
{{- $own := dict
  "mode" "leave it out, the chart is for Kubernetes mode alone"
  "host" "leave it out, the engine listens on all addresses of its pod"
  "port" "leave it out and set the value api.service.port, which callers see"
  "dataDir" "leave it out, nothing that lasts is kept there"
  "queue.drainSeconds" "set the value drainSeconds instead"
  "http.tlsCert" "set the value api.tls.secretName instead"
  "http.tlsKey" "set the value api.tls.secretName instead"
  "metrics.public" "set the value metrics.public instead"
  "kubernetes.namespaces" "set the value namespaces instead"
  "kubernetes.heldRoles" "set the value rbac.finalizers instead"
  "kubernetes.authentication" "set the value api.kubernetesAuthentication instead"
-}}
{{- if .Values.api.adminPasswordSecret -}}
{{- $_ := set $own "auth.adminPassword" "the value api.adminPasswordSecret says it" -}}
{{- $_ := set $own "auth.adminPasswordFile" "the value api.adminPasswordSecret says it" -}}
{{- end -}}
{{- range $key, $instead := $own -}}
{{- $found := hasKey $.Values.config $key -}}
{{- $steps := splitList "." $key -}}
{{- if eq (len $steps) 2 -}}
{{- $group := get $.Values.config (first $steps) -}}
{{- if kindIs "map" $group -}}
{{- $found = or $found (hasKey $group (last $steps)) -}}
{{- end -}}
{{- end -}}
{{- if $found -}}
{{- fail (printf "config.%s is for the chart to say: %s" $key $instead) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "symphony.engineEnv" -}}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
# Where other replicas reach this one when it leads.
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- name: NODE_OPTIONS
  value: --max-old-space-size={{ .Values.heapMiB }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Names of Roles and RoleBindings that wait for the engine when their namespace is deleted; the last one is let go last. */}}
{{- define "symphony.heldRoles" -}}
{{- if and .Values.rbac.create .Values.namespaces .Values.rbac.finalizers -}}
{{- $name := include "symphony.fullname" . -}}
{{- printf "%s-objects,%s-providers,%s-finalizers" $name $name $name -}}
{{- end -}}
{{- end -}}

{{- define "symphony.heldFinalizer" -}}
{{- if include "symphony.heldRoles" . -}}
finalizers: [rights.engine.symphony/finalizer]
{{- end -}}
{{- end -}}

{{/* What the engine does with the objects of the namespaces that it works on. */}}
{{- define "symphony.objectRules" -}}
{{- $reads := list "get" "list" "watch" -}}
# The finalizer, and orders given through REST, are metadata: status has a right of its own below.
- apiGroups: [fabric.symphony]
  resources: [targets]
  verbs: {{ toJson (ternary (concat $reads (list "create" "update" "patch" "delete")) (concat $reads (list "update" "patch")) .Values.api.writes) }}
- apiGroups: [solution.symphony]
  resources: [instances]
  verbs: {{ toJson (ternary (concat $reads (list "create" "update" "patch" "delete")) (concat $reads (list "update" "patch")) .Values.api.writes) }}
- apiGroups: [solution.symphony]
  resources: [solutions, solutioncontainers]
  verbs: {{ toJson (ternary (concat $reads (list "create" "update" "patch" "delete")) $reads .Values.api.writes) }}
- apiGroups: [fabric.symphony]
  resources: [targets/status]
  verbs: [get, update, patch]
- apiGroups: [solution.symphony]
  resources: [instances/status]
  verbs: [get, update, patch]
# Ledgers name their owner in an owner reference, which the admission of some clusters ties to this right.
- apiGroups: [fabric.symphony]
  resources: [targets/finalizers]
  verbs: [update]
- apiGroups: [solution.symphony]
  resources: [instances/finalizers]
  verbs: [update]
# What the engine keeps for itself.
- apiGroups: [engine.symphony]
  resources: [ledgers, runhistories, posteddeployments, componentreports]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# The Lease of Eclipse Symphony's own controller: the engine does not start beside one that holds it.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [33405cb8.symphony]
  verbs: [get, list]
{{- end -}}
