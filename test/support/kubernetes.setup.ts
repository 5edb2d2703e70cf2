import type { TestProject } from 'vitest/node';
import { ClusterBroker } from './control-plane/broker.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where test files ask for the Kubernetes cluster of this run (`test/support/control-plane/describe.ts`). */
    kubernetesBroker: string;
  }
}

/** One Kubernetes cluster for the whole run, started when the first test file asks for it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const broker = new ClusterBroker();
  project.provide('kubernetesBroker', await broker.start());
  return () => broker.stop();
}
