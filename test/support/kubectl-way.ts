import { randomUUID } from 'node:crypto';
import type { TestCluster } from './control-plane/cluster.js';
import { KubernetesApiError, type KubernetesObject } from './control-plane/index.js';
import type { Answer } from './engine-client.js';
import type { Said, Send } from './engine-place.js';

/** The program itself, or the requests that it makes: a write costs a tenth of a second less. */
export type KubectlKind = 'program' | 'requests';

const KINDS: Readonly<Record<string, { group: string; plural: string; kind: string }>> = {
  '/targets/registry': { group: 'fabric.symphony', plural: 'targets', kind: 'Target' },
  '/solutions': { group: 'solution.symphony', plural: 'solutions', kind: 'Solution' },
  '/instances': { group: 'solution.symphony', plural: 'instances', kind: 'Instance' },
};
const OF_ONE_OBJECT = /^(\/targets\/registry|\/solutions|\/instances)\/([^/?]+)\?(.*)$/;
const MANAGER = 'acceptance';

interface Wanted {
  metadata?: { labels?: object; annotations?: object };
  spec?: object;
}

/** One object, where it is and what it should be. */
interface Place {
  group: string;
  plural: string;
  kind: string;
  namespace: string;
  name: string;
}

/**
 * Writes of objects as a person with kubectl makes them: server-side apply, annotate, delete. The answer is what REST would have
 * said; everything else goes to REST, as do writes that kubectl cannot express (preconditions).
 */
export class AppliedByKubectl {
  constructor(
    private readonly cluster: TestCluster,
    private readonly how: KubectlKind,
  ) {}

  async request(said: Said, send: Send): Promise<Answer> {
    const place = placeOf(said);
    if (!place || said.headers !== undefined) return send(said);
    try {
      if (said.method === 'DELETE') return await this.#delete(place, said.path.includes('orphan=true'));
      return await this.#apply(place, said.body as Wanted);
    } catch (error) {
      if (error instanceof KubernetesApiError) return refused(error);
      throw error;
    }
  }

  async #apply(place: Place, { metadata = {}, spec = {} }: Wanted): Promise<Answer> {
    const { group, kind, namespace, name } = place;
    const { labels = {}, annotations = {} } = metadata;
    const manifest = {
      apiVersion: `${group}/v1`,
      kind,
      metadata: { name, namespace, labels, annotations },
      spec,
    };
    const before = await this.#find(place);
    const after = await this.#write(place, manifest);
    // It is changed all the same; that does not help, and REST says so at once.
    if (after.metadata.deletionTimestamp !== undefined) return answerOf(409, { code: 'BeingDeleted' });
    const isSame = before?.metadata.resourceVersion === after.metadata.resourceVersion;
    // A plain re-send by REST is an order to run now.
    if (isSame && kind !== 'Solution') await this.#annotate(place, 'symphony/reconcile', randomUUID());
    return answerOf(200, {});
  }

  async #delete(place: Place, orphan: boolean): Promise<Answer> {
    if (!(await this.#find(place))) return answerOf(404, { code: 'NotFound' });
    if (orphan) await this.#annotate(place, 'symphony/deletion-policy', 'orphan');
    if (this.how === 'requests') await this.cluster.api.call('DELETE', pathOf(place));
    else await this.#run(place, ['delete', '--wait=false', `${place.plural}.${place.group}`, place.name]);
    return answerOf(200, {});
  }

  async #write(place: Place, manifest: object): Promise<KubernetesObject> {
    if (this.how === 'requests') {
      const path = `${pathOf(place)}?fieldManager=${MANAGER}&fieldValidation=Strict`;
      return this.cluster.api.call('PATCH', path, manifest, 'application/apply-patch+yaml');
    }
    const apply = ['apply', '--server-side', `--field-manager=${MANAGER}`, '-o', 'json', '-f', '-'];
    return JSON.parse(await this.#run(place, apply, [manifest])) as KubernetesObject;
  }

  async #annotate(place: Place, key: string, value: string): Promise<void> {
    if (this.how === 'requests') {
      await this.cluster.api.call('PATCH', pathOf(place), { metadata: { annotations: { [key]: value } } });
    } else {
      const object = `${place.plural}.${place.group}/${place.name}`;
      await this.#run(place, ['annotate', '--overwrite', object, `${key}=${value}`]);
    }
  }

  async #find(place: Place): Promise<KubernetesObject | undefined> {
    try {
      return await this.cluster.api.call('GET', pathOf(place));
    } catch (error) {
      if (error instanceof KubernetesApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** @throws KubernetesApiError for what the API server refused */
  async #run({ namespace }: Place, args: string[], input: readonly object[] = []): Promise<string> {
    const { code, stdout, stderr } = await this.cluster.tryKubectl(args, { namespace, input });
    if (code === 0) return stdout;
    if (/ is invalid: |strict decoding error|\(BadRequest\)/.test(stderr)) {
      throw new KubernetesApiError(422, 'Invalid', stderr);
    }
    if (stderr.includes('(NotFound)')) throw new KubernetesApiError(404, 'NotFound', stderr);
    throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  }
}

function placeOf({ method, path, body }: Said): Place | undefined {
  const [, route = '', name = '', query = ''] = OF_ONE_OBJECT.exec(path) ?? [];
  const kind = KINDS[route];
  if (!kind || !(method === 'DELETE' || (method === 'POST' && typeof body === 'object'))) return undefined;
  const named = (body as { metadata?: { namespace?: string } } | undefined)?.metadata?.namespace;
  const namespace = named ?? new URLSearchParams(query).get('namespace') ?? 'default';
  return { ...kind, namespace, name: decodeURIComponent(name) };
}

function pathOf({ group, plural, namespace, name }: Place): string {
  return `/apis/${group}/v1/namespaces/${namespace}/${plural}/${name}`;
}

function refused({ status, reason, message }: KubernetesApiError): Answer {
  return answerOf(status === 422 ? 400 : status, { code: reason, detail: message });
}

function answerOf(status: number, body: object): Answer {
  return { status, headers: new Headers(), body, text: JSON.stringify(body) };
}
