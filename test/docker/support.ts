import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { TargetSpec, type ComponentSpec, type DeploymentOwner } from '@symphony/model';
import {
  changedFields,
  type ApplyResults,
  type ComponentStep,
  type ObservedComponent,
  type ProviderCall,
  type TargetProvider,
} from '@symphony/provider-kit';
import { sampleCall } from '@symphony/provider-kit/conformance';
import { dockerProvider } from '../../src/modules/providers/docker/index.js';
import type { TestDocker } from '../support/docker-engine.js';

const DEADLINE_MS = 20_000;
const ONE_SECOND_TRAP = 'trap "exit 0" TERM; sleep 1000 & wait';

export interface Inspect {
  Id: string;
  Name: string;
  RestartCount: number;
  State: { Status: string; StartedAt: string; ExitCode: number };
  Config: { Image: string; Env: string[]; Labels: Record<string, string> };
  HostConfig: { Memory: number };
  NetworkSettings: {
    Ports: Record<string, { HostPort: string }[] | null>;
    Networks: Record<string, unknown>;
  };
}

/** A target on a real engine, with the provider that serves it and names that no other test has. */
export class DockerTarget {
  readonly uid = randomUUID();
  readonly prefix = randomBytes(3).toString('hex');
  readonly provider: TargetProvider;
  readonly owner: DeploymentOwner;

  constructor(
    readonly docker: TestDocker,
    config: Record<string, string> = {},
    owner: Partial<DeploymentOwner> = {},
  ) {
    const binding = { role: 'instance', provider: 'providers.target.docker' };
    this.provider = dockerProvider({ env: {} }).create(
      { host: docker.host, startGraceSeconds: '0.3', ...config },
      binding,
    );
    this.owner = { kind: 'Instance', namespace: 'default', name: 'shop', uid: randomUUID(), ...owner };
  }

  /** A component whose container sleeps, and ends at once when it is told to. */
  component(name: string, properties: Record<string, unknown> = {}): ComponentSpec {
    return {
      name: `${this.prefix}-${name}`,
      properties: {
        'container.image': this.docker.images[0],
        'container.imagePullPolicy': 'Never',
        'container.commands': ['sh', '-c', ONE_SECOND_TRAP],
        ...properties,
      },
    };
  }

  async apply(
    components: ComponentSpec[],
    action: ComponentStep['action'] = 'update',
    overrides: Partial<ProviderCall> = {},
  ): Promise<ApplyResults> {
    const steps = components.map((component) => ({ action, component }));
    return this.provider.apply({ ...this.#call(components, overrides), steps, dryRun: false, isFirst: true });
  }

  /** Applies one component that must succeed. */
  async up(component: ComponentSpec): Promise<Inspect> {
    const { [component.name]: result } = await this.apply([component]);
    if (result?.status !== 8004) throw new Error(`${component.name}: ${JSON.stringify(result)}`);
    const name = component.properties?.['container.name'];
    return this.inspect(typeof name === 'string' ? name : component.name);
  }

  async get(
    components: ComponentSpec[],
    overrides: Partial<ProviderCall> = {},
  ): Promise<ObservedComponent[]> {
    const references = components.map((component) => ({ action: 'update' as const, component }));
    return this.provider.get({ ...this.#call(components, overrides), references });
  }

  /** Names of the properties in which the container differs from its declaration; `missing` when there is none. */
  async drift(component: ComponentSpec): Promise<string[]> {
    const [seen] = await this.get([component]);
    if (!seen) return ['missing'];
    return changedFields(this.provider.rule, seen, component).map(
      ({ path }) => /"(.*)"/.exec(path)?.[1] ?? path,
    );
  }

  inspect(idOrName: string): Promise<Inspect> {
    return this.docker.api('GET', `/containers/${idOrName}/json`);
  }

  /** All containers that carry this target's label. */
  async containers(): Promise<Inspect[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [`symphony.target-uid=${this.uid}`] }));
    const listed = await this.docker.api<{ Id: string }[]>(
      'GET',
      `/containers/json?all=1&filters=${filters}`,
    );
    return Promise.all(listed.map(({ Id }) => this.inspect(Id)));
  }

  /** How many of its containers run, by one look. */
  async running(): Promise<number> {
    const filter = { label: [`symphony.target-uid=${this.uid}`], status: ['running'] };
    const filters = encodeURIComponent(JSON.stringify(filter));
    return (await this.docker.api<unknown[]>('GET', `/containers/json?filters=${filters}`)).length;
  }

  #call(components: ComponentSpec[], overrides: Partial<ProviderCall>): ProviderCall {
    const target = { name: `edge-${this.prefix}`, uid: this.uid, spec: new TargetSpec() };
    return sampleCall(components, { owner: this.owner, target, ...overrides });
  }
}

/** Resolves with what `look` finds, once it finds something. */
export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await delay(20);
  }
}
