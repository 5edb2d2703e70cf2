import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { PolicyRule } from './control-plane/cluster.js';
import type { KubernetesObject } from './control-plane/index.js';

const ROOT = join(import.meta.dirname, '../..');
const SCRIPT = join(ROOT, 'scripts/helm.mjs');
const CHART = join(ROOT, 'charts/symphony');

/** Why the chart cannot be rendered here; undefined when it can. */
export function missingHelm(): string | undefined {
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT, '--find'], { encoding: 'utf8' });
  return status === 0 ? undefined : stderr.trim();
}

let program: string | undefined;

/** Helm, which is fetched when it is not there. @throws Error with what went wrong */
function helmProgram(): string {
  if (program === undefined) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    program = stdout.trim();
  }
  return program;
}

export interface HelmResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs Helm. Nothing of this machine's own configuration reaches it. */
export function helm(args: readonly string[], kubeconfig?: string): HelmResult {
  // A home of its own, where it puts its caches: without one that is the folder it is started in.
  const home = mkdtempSync(join(tmpdir(), 'symphony-helm-home-'));
  const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], HOME: home };
  if (kubeconfig !== undefined) env['KUBECONFIG'] = kubeconfig;
  try {
    const { status, stdout, stderr, error } = spawnSync(helmProgram(), args, {
      encoding: 'utf8',
      env,
      timeout: 120_000,
      maxBuffer: 16 * 1024 * 1024,
    });
    return { code: status ?? -1, stdout, stderr: stderr || (error?.message ?? '') };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

export interface Release {
  name?: string;
  namespace: string;
  values?: object;
}

/** The arguments that name the chart and its values. */
export function chartArguments({ name = 'symphony', namespace, values = {} }: Release): string[] {
  return [name, CHART, `--namespace=${namespace}`, `--set-json=${setJson(values)}`];
}

/** What the chart makes of some values. @throws Error with Helm's words */
export function renderedChart(release: Release, options: readonly string[] = []): KubernetesObject[] {
  const { code, stdout, stderr } = helm(['template', ...chartArguments(release), ...options]);
  if (code !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout)
    .map((document) => {
      // A key that comes twice is an error here, which Helm lets pass.
      if (document.errors.length > 0) throw document.errors[0] as Error;
      return document.toJS() as KubernetesObject | null;
    })
    .filter((object) => object !== null);
}

/** The rules that the chart binds to the engine's service account: in one namespace, or in the whole cluster. */
export function boundRules(objects: readonly KubernetesObject[], namespace?: string): PolicyRule[] {
  const kind = namespace === undefined ? 'ClusterRole' : 'Role';
  const bound = new Set(
    objects
      .filter((object) => object.kind === `${kind}Binding` && object.metadata.namespace === namespace)
      .map((object) => (object['roleRef'] as { name: string }).name),
  );
  return objects
    .filter((object) => object.kind === kind && object.metadata.namespace === namespace)
    .filter(({ metadata }) => bound.has(metadata.name))
    .flatMap((object) => object['rules'] as PolicyRule[]);
}

const RIGHTS = new Set(['ServiceAccount', 'Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding']);
/** Where the plain manifests put the engine, and the one namespace that it serves. */
const PLAIN = { home: 'symphony-system', served: 'default' };
/** Roles for people, which belong to the cluster. */
const OF_PEOPLE = /-(view|edit)$/;

/** Names of Secrets and ConfigMaps that expressions may read, as the chart's `rbac.secrets` and `rbac.configMaps` list them. */
export interface Readable {
  secrets?: readonly string[];
  configMaps?: readonly string[];
}

/**
 * The service account and the rights that the chart gives an engine: as in the plain manifests, which are what it renders (tested), so
 * that no file that starts an engine has to wait for Helm.
 * @param namespaces that it serves; all when left out
 * @param options.held whether Roles have their finalizer: then an engine must be there when their namespace is deleted
 * @param options.readable what expressions may read in each of the namespaces
 */
export function chartRights(
  home: string,
  namespaces?: readonly string[],
  { held = false, readable = {} }: { held?: boolean; readable?: Readable } = {},
): KubernetesObject[] {
  const file = namespaces ? 'deploy/one-namespace.yaml' : 'deploy/cluster-wide.yaml';
  const text = readFileSync(join(ROOT, file), 'utf8');
  const plain = parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
  const given = plain
    .filter(({ kind = '', metadata }) => RIGHTS.has(kind) && !OF_PEOPLE.test(metadata.name))
    .flatMap((object) => {
      const moved = (served: string): KubernetesObject =>
        inNamespaces(object, home, served) as KubernetesObject;
      return object.metadata.namespace === PLAIN.served ? (namespaces ?? []).map(moved) : [moved(home)];
    })
    .map(({ metadata: { finalizers, ...metadata }, ...object }) => ({
      ...object,
      metadata: held && finalizers ? { ...metadata, finalizers } : metadata,
    }));
  return [...given, ...(namespaces ?? []).flatMap((served) => readingRights(home, served, readable))];
}

/** The Roles that the chart makes for what expressions may read (tested against what it renders). */
export function readingRights(
  home: string,
  namespace: string,
  { secrets = [], configMaps = [] }: Readable,
): KubernetesObject[] {
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const rights = (resource: string, names: readonly string[]): KubernetesObject[] => {
    const metadata = { name: `symphony-${resource}`, namespace };
    const rules = [{ apiGroups: [''], resources: [resource], resourceNames: names, verbs: ['get'] }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name };
    const subjects = [{ kind: 'ServiceAccount', name: 'symphony', namespace: home }];
    return names.length === 0
      ? []
      : [
          { apiVersion, kind: 'Role', metadata, rules },
          { apiVersion, kind: 'RoleBinding', metadata, roleRef, subjects },
        ];
  };
  return [...rights('secrets', secrets), ...rights('configmaps', configMaps)];
}

/** With other namespaces wherever they stand alone, or begin the name of an object of the cluster. */
function inNamespaces(value: unknown, home: string, served: string): unknown {
  if (value === PLAIN.served) return served;
  if (typeof value === 'string') return value.replace(new RegExp(`^${PLAIN.home}(?=-|$)`), home);
  if (Array.isArray(value)) return value.map((item) => inNamespaces(item, home, served));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, inNamespaces(inner, home, served)]),
  );
}

function setJson(values: object): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join(',');
}
