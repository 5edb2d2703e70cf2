/** Where the programs of one control plane keep their things, and where they listen on 127.0.0.1. */
export interface Layout {
  /** A folder of their own. */
  folder: string;
  ports: { etcd: number; peer: number; api: number; controllers: number };
}

/** What tests need of it: no node, so nothing that looks after nodes or assigns pods to them. */
const CONTROLLERS = [
  'clusterrole-aggregation-controller',
  'deployment-controller',
  'disruption-controller',
  'garbage-collector-controller',
  'job-controller',
  'namespace-controller',
  'replicaset-controller',
  'resourcequota-controller',
  'root-ca-certificate-publisher-controller',
  'serviceaccount-controller',
  'statefulset-controller',
  'ttl-after-finished-controller',
];

/**
 * Each request of people and operators once, when its answer is complete. What the control plane does for itself is left
 * out: nobody asks for it, and it would be nearly all.
 */
export const AUDIT_POLICY = JSON.stringify({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', users: ['system:apiserver', 'system:kube-controller-manager', 'system:anonymous'] },
    { level: 'None', userGroups: ['system:serviceaccounts:kube-system'] },
    { level: 'None', nonResourceURLs: ['/readyz*', '/livez*', '/openapi*', '/version', '/api', '/apis*'] },
    { level: 'Metadata' },
  ],
});

/** Audience and issuer of the tokens of service accounts. */
const ISSUER = 'https://kubernetes.default.svc';

export const paths = (folder: string) => ({
  etcdData: `${folder}/etcd`,
  certificates: `${folder}/certificates`,
  ca: `${folder}/certificates/apiserver.crt`,
  controllerCertificates: `${folder}/controller-certificates`,
  signingKey: `${folder}/service-accounts.key`,
  publicKey: `${folder}/service-accounts.pub`,
  tokens: `${folder}/tokens.csv`,
  auditPolicy: `${folder}/audit-policy.json`,
  auditLog: `${folder}/audit.jsonl`,
  controllerKubeconfig: `${folder}/controllers.kubeconfig`,
});

/** @param durable each write waits for the disk, so that data also survives the machine */
export function etcdArguments({ folder, ports }: Layout, durable: boolean): string[] {
  const client = `http://127.0.0.1:${ports.etcd}`;
  const peer = `http://127.0.0.1:${ports.peer}`;
  return [
    '--name=test',
    `--data-dir=${paths(folder).etcdData}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=test=${peer}`,
    '--log-level=warn',
    ...(durable ? [] : ['--unsafe-no-fsync']),
  ];
}

export function apiServerArguments({ folder, ports }: Layout): string[] {
  const at = paths(folder);
  return [
    `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${ports.api}`,
    '--advertise-address=127.0.0.1',
    '--external-hostname=localhost',
    // An address of loopback cannot be the endpoint of the service `kubernetes`.
    '--endpoint-reconciler-type=none',
    `--cert-dir=${at.certificates}`,
    '--authorization-mode=RBAC',
    `--token-auth-file=${at.tokens}`,
    `--service-account-issuer=${ISSUER}`,
    `--service-account-key-file=${at.publicKey}`,
    `--service-account-signing-key-file=${at.signingKey}`,
    `--api-audiences=${ISSUER}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--allow-privileged=true',
    '--profiling=false',
    `--audit-policy-file=${at.auditPolicy}`,
    `--audit-log-path=${at.auditLog}`,
    // One file that is never turned over: tests count its lines.
    '--audit-log-maxsize=100000',
  ];
}

export function controllerArguments({ folder, ports }: Layout): string[] {
  const at = paths(folder);
  return [
    `--kubeconfig=${at.controllerKubeconfig}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${ports.controllers}`,
    `--cert-dir=${at.controllerCertificates}`,
    '--leader-elect=false',
    `--controllers=${CONTROLLERS.join(',')}`,
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${at.signingKey}`,
    `--root-ca-file=${at.ca}`,
    // The defaults suit clusters with nodes; tests wait for these.
    '--concurrent-namespace-syncs=10',
    '--profiling=false',
  ];
}
