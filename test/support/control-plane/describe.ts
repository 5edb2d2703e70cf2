import { afterAll, beforeAll, describe, inject, it, onTestFinished } from 'vitest';
// The types of inject('kubernetesBroker').
import '../kubernetes.setup.js';
import { KubernetesApiError } from './api.js';
import { BUILD_MS, missingPrograms, programs, usesOwnKubeconfig } from './assets.js';
import { askBroker } from './broker.js';
import { TestCluster } from './cluster.js';
import { ControlPlane, type ControlPlaneOptions } from './control-plane.js';

/**
 * Tests on the cluster that the whole run shares: they keep to namespaces of their own. Without a cluster they fail
 * with CI=true, and are skipped by name elsewhere.
 * @param body gets a function that tells the cluster once tests run
 */
export function describeKubernetes(name: string, body: (cluster: () => TestCluster) => void): void {
  declare(name, usesOwnKubeconfig() ? undefined : missingPrograms(), () => {
    let cluster: TestCluster | undefined;
    beforeAll(async () => {
      cluster = await sharedCluster();
    }, BUILD_MS);
    afterAll(() => cluster?.close());
    body(() => there(cluster));
  });
}

/** The same on a control plane of their own, whose parts they may stop, kill and start. */
export function describeControlPlane(
  name: string,
  body: (plane: () => ControlPlane) => void,
  options: Omit<ControlPlaneOptions, 'assets'> = {},
): void {
  declare(name, missingPrograms(), () => {
    let plane: ControlPlane | undefined;
    beforeAll(async () => {
      plane = await ControlPlane.start({ assets: await programs(), ...options });
    }, BUILD_MS);
    afterAll(() => plane?.stop());
    body(() => there(plane));
  });
}

/** The cluster of the whole run; the caller closes what it gets. */
export async function sharedCluster(): Promise<TestCluster> {
  return new TestCluster(await askBroker(inject('kubernetesBroker')));
}

/** A namespace of the running test's own. It is ordered away after the test; nobody waits for it to be gone. */
export async function freshNamespace(cluster: TestCluster, label?: string): Promise<string> {
  const name = await cluster.createNamespace(label);
  onTestFinished(async () => {
    await cluster.api.call('DELETE', `/api/v1/namespaces/${name}`).catch((error: unknown) => {
      if (!(error instanceof KubernetesApiError && error.status === 404)) throw error;
    });
  });
  return name;
}

function declare(name: string, problem: string | undefined, body: () => void): void {
  if (problem === undefined) {
    describe(name, body);
  } else if (process.env['CI'] === 'true') {
    describe(name, () => {
      it('has a Kubernetes control plane', () => {
        throw new Error(`${problem}; with CI=true its tests must run`);
      });
    });
  } else {
    process.stderr.write(`\nSKIPPED for want of a Kubernetes control plane: ${name}. ${problem}.\n`);
    describe.skip(name, body);
  }
}

function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('only tests and their hooks have it');
  return value;
}
