import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { TestCluster } from './cluster.js';
import {
  AUDIT_POLICY,
  apiServerArguments,
  controllerArguments,
  etcdArguments,
  paths,
  type Layout,
} from './command-lines.js';
import { kubeconfig, type ClusterAccess, type KubernetesConnection } from './connection.js';
import { GuardedProcess } from './guarded-process.js';
import { freePorts } from './ports.js';

/** Some 5 s on an idle machine; a build beside it may take nearly all of the processors. */
const READY_MS = 180_000;
const PROBE_MS = 5_000;

export interface ControlPlaneOptions {
  /** Folder with etcd, kube-apiserver, kube-controller-manager and kubectl. */
  assets: string;
  /** Writes wait for the disk. Off when left out: data outlives the programs, not the machine. */
  durable?: boolean;
}

/**
 * A control plane of Kubernetes in three processes and a temporary folder. Each can be stopped, killed, frozen and
 * started again singly; addresses, certificates, tokens and data stay the same.
 */
export class ControlPlane {
  /** As tests use it. */
  readonly cluster: TestCluster;

  private constructor(
    readonly access: ClusterAccess,
    readonly etcd: GuardedProcess,
    readonly apiServer: GuardedProcess,
    readonly controllerManager: GuardedProcess,
    readonly folder: string,
  ) {
    this.cluster = new TestCluster(access);
  }

  /** Up and serving: the API server is ready and the controllers run. */
  static async start({ assets, durable = false }: ControlPlaneOptions): Promise<ControlPlane> {
    const folder = await mkdtemp(join(tmpdir(), 'symphony-k8s-'));
    const [etcd = 0, peer = 0, api = 0, controllers = 0] = await freePorts(4);
    const layout: Layout = { folder, ports: { etcd, peer, api, controllers } };
    const token = randomBytes(24).toString('hex');
    const controllerToken = randomBytes(24).toString('hex');
    await writeFiles(folder, token, controllerToken);

    const server = `https://127.0.0.1:${api}`;
    const program = (name: string, args: string[], isReady: () => Promise<boolean>): GuardedProcess =>
      new GuardedProcess({
        name,
        command: join(assets, name),
        args,
        logFile: join(folder, `${name}.log`),
        isReady,
        readyMs: READY_MS,
      });
    const etcdProgram = program('etcd', etcdArguments(layout, durable), () =>
      answers(`http://127.0.0.1:${etcd}/readyz`),
    );
    const apiServer = program('kube-apiserver', apiServerArguments(layout), () =>
      answers(`${server}/readyz`, { authorization: `Bearer ${token}` }),
    );
    const controllerManager = program('kube-controller-manager', controllerArguments(layout), () =>
      // Earlier it calls itself healthy too, but ends for good when the API server then does not answer at once.
      answers(`https://127.0.0.1:${controllers}/healthz?verbose`, {}, 'namespace-controller ok'),
    );
    const started = [etcdProgram, apiServer, controllerManager];
    try {
      await etcdProgram.start();
      await apiServer.start();
      // The API server has just made it.
      const ca = await readFile(paths(folder).ca, 'utf8');
      const controllerUser: KubernetesConnection = { server, ca, user: { token: controllerToken } };
      await writeFile(paths(folder).controllerKubeconfig, kubeconfig(controllerUser), { mode: 0o600 });
      await controllerManager.start();
      const access: ClusterAccess = {
        admin: { server, ca, user: { token } },
        kubectl: join(assets, 'kubectl'),
        auditLog: paths(folder).auditLog,
      };
      return new ControlPlane(access, etcdProgram, apiServer, controllerManager, folder);
    } catch (error) {
      await Promise.all(started.map((process) => process.kill()));
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      throw error;
    }
  }

  /** Ends the three and removes their data. */
  async stop(): Promise<void> {
    await this.cluster.close();
    // Nobody will read the data, so nobody needs to be let finish.
    await Promise.all([this.controllerManager.kill(), this.apiServer.kill(), this.etcd.kill()]);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function writeFiles(folder: string, token: string, controllerToken: string): Promise<void> {
  const at = paths(folder);
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const secret = { mode: 0o600 };
  await writeFile(at.signingKey, privateKey.export({ type: 'pkcs1', format: 'pem' }), secret);
  await writeFile(at.publicKey, publicKey.export({ type: 'spki', format: 'pem' }));
  await writeFile(at.auditPolicy, AUDIT_POLICY);
  const users = [
    `${token},admin,admin,system:masters`,
    `${controllerToken},system:kube-controller-manager,controllers`,
  ];
  await writeFile(at.tokens, `${users.join('\n')}\n`, secret);
}

/**
 * Whether an address of ours answers well, with these words in its answer. Its certificate is not checked: no harm comes
 * of a stranger who answers.
 */
async function answers(url: string, headers: Record<string, string> = {}, words = ''): Promise<boolean> {
  const agent = new Agent({ connect: { rejectUnauthorized: false } });
  try {
    const answer = await request(url, { dispatcher: agent, headers, signal: AbortSignal.timeout(PROBE_MS) });
    return answer.statusCode === 200 && (await answer.body.text()).includes(words);
  } finally {
    await agent.destroy();
  }
}
