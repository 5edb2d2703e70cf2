import type { DeploymentOwner, LedgerEntry, LedgerKey } from '@symphony/model';
import { beforeEach, describe, expect, test } from 'vitest';
import { FencedError, type Fence } from '../../src/modules/queue/index.js';
import { TargetGoneError, type Ledger, type LedgerOutcome } from '../../src/modules/reconcile/index.js';

/** An engine that has claimed the lane of an instance. */
export interface LedgerRun {
  ledger: Ledger;
  fence: Fence;
  owner: DeploymentOwner;
}

interface StoredPlace {
  uid: string;
  name: string;
}

/** What the suite needs of an adapter. */
export interface LedgerSubject {
  /** A stored instance of that name, and a claim of its lane. */
  claim(name: string): Promise<LedgerRun>;
  /** A new stored target; its name begins with that one. */
  target(name: string): Promise<StoredPlace>;
  /** Another engine claims the lane; the first one has not noticed. */
  takeOver(run: LedgerRun): Promise<LedgerRun>;
  /** The run is claimed anew by the same engine. */
  claimAgain(run: LedgerRun): Promise<LedgerRun>;
}

const NOWHERE = '00000000-0000-4000-8000-000000000000';

/**
 * The guarantees of the Ledger port, for any adapter.
 * @param open answers a subject; called once for each test
 */
export function ledgerConformance(open: () => Promise<LedgerSubject>): void {
  let subject: LedgerSubject;
  let targetUid: string;
  let run: LedgerRun;
  /** Of the targets, by uid. */
  const placeNames = new Map<string, string>();
  beforeEach(async () => {
    subject = await open();
    const place = await subject.target('place');
    targetUid = place.uid;
    placeNames.set(place.uid, place.name);
    run = await subject.claim('app');
  });

  const keyOf = (component: string, uid = targetUid): LedgerKey => ({
    targetUid: uid,
    component,
    role: 'instance',
    provider: 'providers.target.mock',
    bindingHash: 'b',
  });
  const entryOf = (
    { owner }: LedgerRun,
    component: string,
    more: Partial<LedgerEntry> = {},
  ): LedgerEntry => ({
    ...keyOf(component, more.targetUid),
    owner,
    targetName: placeNames.get(more.targetUid ?? targetUid) ?? 'place',
    scope: 'default',
    binding: { role: 'instance', provider: 'providers.target.mock', config: { id: 'm' } },
    applied: { name: component, properties: { turn: 1 } },
    digest: '',
    state: 'intent',
    generation: '1',
    updatedAt: new Date(0).toISOString(),
    ...more,
  });
  const applied = (component: string, turn = 1): LedgerOutcome => ({
    kind: 'applied',
    key: keyOf(component),
    applied: { name: component, properties: { turn } },
    digest: `digest ${turn}`,
    generation: `${turn}`,
  });
  const removed = (component: string): LedgerOutcome => ({ kind: 'removed', key: keyOf(component) });
  const begin = ({ ledger, fence }: LedgerRun, ...entries: LedgerEntry[]): Promise<void> =>
    ledger.begin(fence, entries);
  const settle = ({ ledger, fence, owner }: LedgerRun, ...outcomes: LedgerOutcome[]): Promise<void> =>
    ledger.settle(fence, owner.uid, outcomes);
  /** `web intent`, in the order of names. */
  const statesOf = async ({ ledger, owner }: LedgerRun): Promise<string[]> => {
    const entries = await ledger.entriesOf(owner.uid);
    return entries.map(({ component, state }) => `${component} ${state}`).toSorted();
  };
  const onlyEntry = async ({ ledger, owner }: LedgerRun): Promise<LedgerEntry | undefined> => {
    const entries = await ledger.entriesOf(owner.uid);
    expect(entries).toHaveLength(1);
    return entries[0];
  };

  describe('what is about to be done', () => {
    test('is there as it was told, and only for its owner', async () => {
      const odd = { '1.10': '1.10', 'a"b': [null, false, { '': '' }], text: 'ü🙂' };
      const entry = entryOf(run, 'web', {
        binding: {
          role: 'instance',
          provider: 'providers.target.mock',
          config: { id: 'm', user: "${{$secret('s','k')}}" },
        },
        applied: { name: 'web', type: 'x', properties: odd },
      });
      await begin(run, entry);
      const { updatedAt, ...stored } = { ...entry, ...(await onlyEntry(run)) };
      expect(stored).toEqual({ ...entry, updatedAt: undefined });
      expect(Date.parse(updatedAt)).toBeGreaterThan(0);
      const other = await subject.claim('other');
      expect(await other.ledger.entriesOf(other.owner.uid)).toEqual([]);
    });

    test('leaves known what was applied before, until its outcome is known', async () => {
      await begin(run, entryOf(run, 'web'));
      await settle(run, applied('web', 1));
      const next = { name: 'web', properties: { turn: 2 } };
      await begin(run, entryOf(run, 'web', { applied: next, generation: '2' }));
      expect(await onlyEntry(run)).toMatchObject({
        state: 'intent',
        applied: { properties: { turn: 1 } },
        digest: 'digest 1',
        generation: '2',
      });
      await settle(run, applied('web', 2));
      expect(await onlyEntry(run)).toMatchObject({ state: 'applied', applied: next, digest: 'digest 2' });
    });

    test('is refused on a target that is gone, and leaves nothing', async () => {
      const gone = entryOf(run, 'web', { targetUid: NOWHERE });
      await expect(begin(run, gone)).rejects.toBeInstanceOf(TargetGoneError);
      expect(await statesOf(run)).toEqual([]);
    });

    test('of a removal is written down for what is there, and not for what was given up meanwhile', async () => {
      await begin(run, entryOf(run, 'web'));
      await settle(run, applied('web'));
      const removals = ['web', 'given-up'].map((name) => entryOf(run, name, { state: 'removing' }));
      await begin(run, ...removals);
      expect(await statesOf(run)).toEqual(['web removing']);
    });

    test('of one moment is all kept, on one target and on several', async () => {
      const { uid: second, name } = await subject.target('second');
      placeNames.set(second, name);
      const names = Array.from({ length: 12 }, (_, n) => `c${n}`);
      await Promise.all(
        names.map((name, n) =>
          begin(run, entryOf(run, name, { targetUid: n % 2 === 0 ? targetUid : second })),
        ),
      );
      expect(await statesOf(run)).toEqual(names.map((name) => `${name} intent`).toSorted());
    });
  });

  describe('an outcome', () => {
    test('takes away what was removed; the last one leaves nothing, and something may come again', async () => {
      await begin(run, entryOf(run, 'web'), entryOf(run, 'db'));
      await settle(run, applied('web'), applied('db'));
      await settle(run, removed('web'));
      expect(await statesOf(run)).toEqual(['db applied']);
      await settle(run, removed('db'));
      expect(await statesOf(run)).toEqual([]);
      expect(await run.ledger.ownersOn(targetUid, 10)).toEqual({ total: 0, owners: [] });
      await begin(run, entryOf(run, 'db', { generation: '2' }));
      expect(await onlyEntry(run)).toMatchObject({ state: 'intent', digest: '', generation: '2' });
    });

    test('of what was never begun adds nothing', async () => {
      await begin(run, entryOf(run, 'web'));
      await settle(run, applied('stranger'), removed('nobody'));
      expect(await statesOf(run)).toEqual(['web intent']);
      const other = await subject.claim('other');
      await settle(other, applied('web'));
      expect(await statesOf(other)).toEqual([]);
    });

    test('that is awaited is remembered, with how often it was reported to have failed', async () => {
      await begin(run, entryOf(run, 'web'));
      const pending = {
        phase: 'apply' as const,
        since: '2026-01-01T00:00:00.000Z',
        deadline: '2026-01-01T00:10:00.000Z',
        message: 'accepted',
        ticket: 't',
      };
      const awaited = { kind: 'pending' as const, key: keyOf('web'), pending };
      await settle(run, awaited);
      expect(await onlyEntry(run)).toMatchObject({ state: 'intent', pending });
      await settle(run, { ...awaited, used: '2026-01-01T00:00:01.000Z' });
      expect(await onlyEntry(run)).toMatchObject({ pending, reportedFailures: 1 });
      await settle(run, applied('web'));
      const entry = await onlyEntry(run);
      expect(entry?.pending).toBeUndefined();
      expect(entry?.reportedFailures ?? 0).toBe(0);
    });

    test('of one moment changes its own entry only', async () => {
      const names = Array.from({ length: 10 }, (_, n) => `c${n}`);
      await begin(run, ...names.map((name) => entryOf(run, name)));
      await Promise.all(names.map((name, n) => settle(run, n % 2 === 0 ? applied(name) : removed(name))));
      expect(await statesOf(run)).toEqual(['c0', 'c2', 'c4', 'c6', 'c8'].map((name) => `${name} applied`));
    });
  });

  test('who is on a target is told in order, each once, and how many in all', async () => {
    const last = await subject.claim('b');
    const first = await subject.claim('a');
    for (const other of [run, last, first]) await begin(other, entryOf(other, 'x'), entryOf(other, 'y'));
    expect(await run.ledger.ownersOn(targetUid, 2)).toEqual({ total: 3, owners: [first.owner, run.owner] });
    const { uid: free } = await subject.target('free');
    expect(await run.ledger.occupiedAmong([free, targetUid])).toEqual(new Set([targetUid]));
  });

  describe('who was deposed and does not know it', () => {
    test('writes nothing any more, whether or not the next one has written yet', async () => {
      await begin(run, entryOf(run, 'web'));
      const next = await subject.takeOver(run);
      await begin(next, entryOf(next, 'db'));
      await expect(begin(run, entryOf(run, 'late'))).rejects.toBeInstanceOf(FencedError);
      await expect(settle(run, applied('web'))).rejects.toBeInstanceOf(FencedError);
      await expect(settle(run, removed('web'))).rejects.toBeInstanceOf(FencedError);
      expect(await statesOf(next)).toEqual(['db intent', 'web intent']);
    });

    test('does not write on a second try either', async () => {
      await begin(run, entryOf(run, 'web'));
      const next = await subject.takeOver(run);
      await settle(next, applied('web', 2));
      for (const turn of [3, 4]) {
        await expect(settle(run, applied('web', turn))).rejects.toBeInstanceOf(FencedError);
      }
      expect(await onlyEntry(next)).toMatchObject({ state: 'applied', digest: 'digest 2' });
    });

    test('does not bring back what the next one has removed', async () => {
      await begin(run, entryOf(run, 'web'));
      await settle(run, applied('web'));
      const next = await subject.takeOver(run);
      await settle(next, removed('web'));
      // It may have seen by now that nothing is there, and then has nothing to write.
      await settle(run, applied('web', 2)).catch((error: unknown) =>
        expect(error).toBeInstanceOf(FencedError),
      );
      expect(await statesOf(next)).toEqual([]);
    });
  });

  test('an earlier claim of the same engine writes nothing after the next', async () => {
    const again = await subject.claimAgain(run);
    await begin(again, entryOf(again, 'web'));
    await expect(begin(run, entryOf(run, 'late'))).rejects.toBeInstanceOf(FencedError);
    expect(await statesOf(again)).toEqual(['web intent']);
  });
}
