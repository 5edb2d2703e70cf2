import { beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import type { DeployableKind, DeploymentOwner, LedgerEntry } from '@symphony/model';
import { epochOf } from '../../../src/modes/k8s/lanes/lane.js';
import { KubernetesLedger } from '../../../src/modes/k8s/ledger/kubernetes-ledger.js';
import { LEDGER_TYPE, type LedgerObject } from '../../../src/modes/k8s/ledger/ledger-object.js';
import { LeftoverLedgers } from '../../../src/modes/k8s/ledger/leftover-ledgers.js';
import { refusedLedger } from '../../../src/modes/k8s/ledger/refused-ledger.js';
import { RefusedWrites } from '../../../src/modes/k8s/leadership/index.js';
import { typeOf, type CustomObject } from '../../../src/modes/k8s/objects/custom-object.js';
import { unlessMissing } from '../../../src/modes/k8s/objects/readable.js';
import { FencedError, type Fence } from '../../../src/modules/queue/index.js';
import { describeKubernetes, freshNamespace } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { openKubernetesParts } from '../../support/kubernetes-parts.js';
import { Candidates } from '../leadership/candidates.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const SOON = { timeout: 20_000, interval: 20 };
const INSTANCE = typeOf<DeployableKind>('Instance');

describeKubernetes('a leader that stood still before it created a ledger', (cluster) => {
  beforeAll(() => installCustomResources(cluster()));

  /** The former leader of term 1, and the next one of term 2, with an instance and its target. */
  async function place(beforeRelease: () => Promise<void> = () => Promise.resolve()) {
    const namespace = await freshNamespace(cluster(), 'late');
    const open = async () => {
      const parts = await openKubernetesParts(cluster(), { namespaces: [namespace] });
      onTestFinished(() => parts.close());
      return parts;
    };
    const [former, next] = [await open(), await open()];
    const made = async (kind: DeployableKind, spec: object): Promise<CustomObject> => {
      const object = { metadata: { name: 'shop', namespace }, spec } as CustomObject<DeployableKind>;
      const stored = await former.client.create(typeOf<DeployableKind>(kind), object);
      const { resourceVersion = '' } = stored.metadata;
      for (const { objects } of [former, next])
        await objects.of(kind).waitFor({ namespace, resourceVersion }, { deadlineMs: 30_000 });
      return stored;
    };
    const target = await made('Target', {});
    const instance = await made('Instance', { solution: 's', target: { name: 'shop' } });
    const owner: DeploymentOwner = {
      kind: 'Instance',
      namespace,
      name: 'shop',
      uid: instance.metadata.uid ?? '',
    };
    const intent: LedgerEntry = {
      targetUid: target.metadata.uid ?? '',
      targetName: 'shop',
      owner,
      component: 'web',
      role: 'instance',
      provider: 'providers.target.mock',
      bindingHash: 'b',
      scope: 'default',
      binding: { role: 'instance', provider: 'providers.target.mock', config: {} },
      applied: { name: 'web' },
      digest: '',
      state: 'intent',
      generation: '1',
      updatedAt: new Date(0).toISOString(),
    };

    // The process stands still right before the request leaves it, when all that it could look at by itself was in order.
    let thaw = (): void => undefined;
    const frozen = new Promise<void>((resolve) => (thaw = resolve));
    let leads = true;
    let reached = (): void => undefined;
    const stands = new Promise<void>((resolve) => (reached = resolve));
    const late = new KubernetesLedger({
      client: {
        create: async (type, object, options) => {
          reached();
          await frozen;
          return former.client.create(type, object, options);
        },
        replace: former.client.replace.bind(former.client),
        delete: former.client.delete.bind(former.client),
      },
      cache: former.ledgers,
      // By the clock of the process, as a term does.
      assertFence: () => {
        if (!leads) throw new FencedError();
      },
      keepOwner: () => Promise.resolve(),
      targets: {
        isOurs: () => true,
        specOf: () => undefined,
        keep: () => Promise.resolve(),
        wasLeft: () => undefined,
      },
    });
    const fence: Fence = { laneId: '1', epoch: epochOf(1, 1) };
    const begun = late.begin(fence, [intent]);
    begun.catch(() => undefined);
    await stands;

    const looks: string[] = [];
    const released: string[] = [];
    const leftovers = new LeftoverLedgers({
      ledgers: next.ledgers,
      term: () => 2,
      isStored: async ({ name, uid }) =>
        (await unlessMissing(next.client.get(INSTANCE, { namespace, name })))?.metadata.uid === uid,
      look: ({ uid }) => void looks.push(uid),
      release: async ({ uid }) => {
        await beforeRelease();
        await next.ledger.releaseOwner(uid);
        released.push(uid);
      },
      warn: (_message, error) => {
        throw error;
      },
    });
    onTestFinished(leftovers.start());
    const ledgers = async (): Promise<LedgerObject[]> =>
      (await next.client.list(LEDGER_TYPE, { namespace })).items;
    const goesOn = (): void => {
      // Its clock tells it, before anything else does.
      leads = false;
      thaw();
    };
    return { namespace, owner, intent, next, begun, goesOn, looks, released, ledgers, leftovers };
  }

  it('puts nothing anywhere, and the next one looks at what it left while the owner is there', async () => {
    const { owner, begun, goesOn, looks, released, ledgers, next, intent } = await place();
    goesOn();
    await expect(begun).rejects.toThrow(FencedError);
    // Nothing could have refused it: there was nothing to compare it with.
    expect(await ledgers()).toHaveLength(1);
    await expect.poll(() => looks, SOON).toEqual([owner.uid]);
    expect(released).toEqual([]);
    // The run that follows has it among what it has to decide about, and its own writes count from there.
    expect((await next.ledger.entriesOf(owner.uid)).map(({ component }) => component)).toEqual(['web']);
    const fence = { laneId: '1', epoch: epochOf(2, 1) };
    await next.ledger.begin(fence, [{ ...intent, state: 'removing' }]);
    await next.ledger.settle(fence, owner.uid, [{ kind: 'removed', key: intent }]);
    await expect.poll(ledgers, SOON).toEqual([]);
    expect(looks).toEqual([owner.uid]);
  });

  it('leaves nothing behind when the owner has gone meanwhile', async () => {
    const { namespace, owner, begun, goesOn, looks, released, ledgers, next } = await place();
    await next.client.delete(INSTANCE, { namespace, name: 'shop' });
    await expect.poll(() => next.objects.of('Instance').byUid(owner.uid), SOON).toBeUndefined();
    goesOn();
    await expect(begun).rejects.toThrow(FencedError);
    await expect.poll(() => released, SOON).toEqual([owner.uid]);
    await expect.poll(ledgers, SOON).toEqual([]);
    expect(looks).toEqual([]);
  });

  it('leaves nothing behind also when the garbage collector is there at the same moment', async () => {
    let collected = 0;
    const { namespace, owner, begun, goesOn, released, ledgers, next } = await place(async () => {
      collected += 1;
      // What a replace is refused for that is based on the version before.
      if (collected === 1) throw new FencedError();
    });
    await next.client.delete(INSTANCE, { namespace, name: 'shop' });
    await expect.poll(() => next.objects.of('Instance').byUid(owner.uid), SOON).toBeUndefined();
    goesOn();
    await expect(begun).rejects.toThrow(FencedError);
    await expect.poll(() => released, SOON).toEqual([owner.uid]);
    await expect.poll(ledgers, SOON).toEqual([]);
  });

  it('is looked at also by a leader whose term begins later', async () => {
    const { owner, begun, goesOn, looks, leftovers } = await place();
    goesOn();
    await expect(begun).rejects.toThrow(FencedError);
    await expect.poll(() => looks, SOON).toEqual([owner.uid]);
    leftovers.begin();
    expect(looks).toEqual([owner.uid, owner.uid]);
  });

  it('steps down when the server refuses its ledger, and leads later with a higher term', async () => {
    const { namespace, owner, begun, goesOn, next, intent } = await place();
    goesOn();
    await expect(begun).rejects.toThrow(FencedError);
    await expect.poll(() => next.ledgers.byIndex('owner', owner.uid).length, SOON).toBe(1);
    await next.ledger.begin({ laneId: '1', epoch: epochOf(9, 1) }, [intent]);

    const candidates = new Candidates(cluster(), namespace, {
      leaseMs: 60_000,
      renewDeadlineMs: 50_000,
      retryMs: 20_000,
    });
    // The Lease is lost, and with it its count; that of the ledger is not.
    const { elector } = await candidates.add('a');
    await expect.poll(() => elector.epoch, SOON).toBe(1);
    const looks = new RefusedWrites({ leadership: elector, log: { warn: () => undefined } });
    const refused: Promise<void>[] = [];
    const parts = await openKubernetesParts(cluster(), { namespaces: [namespace] });
    onTestFinished(() => parts.close());
    const ledger = new KubernetesLedger({
      client: parts.client,
      cache: parts.ledgers,
      assertFence: () => undefined,
      keepOwner: () => Promise.resolve(),
      targets: {
        isOurs: () => true,
        specOf: () => undefined,
        keep: () => Promise.resolve(),
        wasLeft: () => undefined,
      },
      refused: (object, epoch) => void refused.push(looks.look(refusedLedger(parts.client, object, epoch))),
    });
    const write = ledger.begin({ laneId: '1', epoch: epochOf(1, 1) }, [intent]);
    await expect(write).rejects.toThrow(FencedError);
    expect(refused).toHaveLength(1);
    await Promise.all(refused);
    await expect.poll(() => elector.epoch, SOON).toBe(10);
    expect(candidates.terms[0]?.until).toBeLessThan(Infinity);
  });
});
