// Writes the plain manifests below deploy/, for those who use no Helm: what the chart renders, in two ways of installing it,
// and what lets go of the cluster before each of them is deleted.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ensureHelm } from './lib/helm.mjs';
import { ROOT } from './lib/prepare.mjs';

const HEADER = '# Rendered from charts/symphony by `npm run manifests`; do not edit.\n';
const NAMESPACE = 'symphony-system';
const CHART = join(ROOT, 'charts', 'symphony');

/** Made by hand, since Helm leaves the namespace to its user. */
const OWN_NAMESPACE = `apiVersion: v1
kind: Namespace
metadata:
  name: ${NAMESPACE}
  labels:
    pod-security.kubernetes.io/enforce: restricted
`;

function manifests() {
  const users = ['--set=api.kubernetesAuthentication=false', '--set=api.adminPasswordSecret=symphony-admin'];
  const roles = ['--set=namespaces={default}', ...users];
  const hook = ['--show-only=templates/release-hook.yaml'];
  return {
    'deploy/cluster-wide.yaml': HEADER + OWN_NAMESPACE + rendered(['--no-hooks']),
    'deploy/one-namespace.yaml': HEADER + OWN_NAMESPACE + rendered(['--no-hooks', ...roles]),
    'deploy/release.yaml': HEADER + rendered(hook).replace(/^---\n/, ''),
    'deploy/release-one-namespace.yaml': HEADER + rendered([...hook, ...roles]).replace(/^---\n/, ''),
  };
}

function rendered(options) {
  const args = [
    'template',
    'symphony',
    CHART,
    `--namespace=${NAMESPACE}`,
    '--set=crds.install=false',
    ...options,
  ];
  const helm = spawnSync(ensureHelm(), args, { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 });
  if (helm.status !== 0) throw new Error(helm.stderr || String(helm.error));
  return (
    helm.stdout
      // What only Helm has a use for.
      .replaceAll(/^# Source: .*\n/gm, '')
      .replaceAll(/^ +(helm\.sh\/[\w-]+|app\.kubernetes\.io\/managed-by): .*\n/gm, '')
      .replaceAll(/^ +annotations:\n(?! {4})/gm, '')
      .replaceAll(/^---\n(?=---\n)/gm, '')
  );
}

// Into another folder, if one is given.
const root = process.argv[2] ?? ROOT;
for (const [path, text] of Object.entries(manifests())) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  console.log(path);
}
