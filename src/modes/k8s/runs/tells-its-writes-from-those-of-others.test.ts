import type { DeployableKind } from '@symphony/model';
import { expect, test } from 'vitest';
import type { LaneOrder } from '../../../modules/queue/index.js';
import type { CustomObject } from '../objects/custom-object.js';
import type { Change } from '../reflector/index.js';
import { StatusEdits } from './status-edits.js';

type Deployable = CustomObject<DeployableKind>;

function version(resourceVersion: string, reason: string): Deployable {
  return {
    metadata: { name: 'o', namespace: 'n', uid: 'u', generation: 3, resourceVersion },
    status: { reason },
  };
}

function subject({ leading = true } = {}) {
  const ordered: LaneOrder[] = [];
  const listeners: ((change: Change<Deployable>) => void)[] = [];
  const clock = { now: 1_000 };
  const edits = new StatusEdits({
    objects: {
      of: (kind) => ({
        onChange: (listener) => {
          if (kind === 'Instance') listeners.push(listener);
          return () => undefined;
        },
      }),
    },
    lanes: () => ({ leading, take: (orders) => Promise.resolve(void ordered.push(...orders)) }),
    log: { info: () => undefined },
    now: () => clock.now,
  });
  const see = (before: Deployable, after: Deployable): void => {
    const key = { kind: 'Instance', uid: 'u', namespace: 'n', name: 'o' };
    for (const listener of listeners) listener({ key, before, after });
  };
  return { edits, ordered, clock, see };
}

const first = version('1', 'Succeeded');

test('a write of ours orders nothing, whether the watch or the answer tells of it first', async () => {
  const { edits, ordered, see } = subject();
  const written = version('2', 'Failed');
  await edits.ours(
    'u',
    () => Promise.resolve(written),
    (answer) => see(first, answer),
  );
  const again = version('3', 'Succeeded');
  const watched = (): Promise<Deployable> => {
    see(written, again);
    return Promise.resolve(again);
  };
  await edits.ours('u', watched, () => undefined);
  expect(ordered).toEqual([]);
});

test("somebody's edit while a write of ours is under way orders a look", async () => {
  const { edits, ordered, see } = subject();
  const edited = version('2', 'Made up');
  const meanwhile = (): Promise<Deployable> => {
    see(first, edited);
    return Promise.resolve(version('3', 'Succeeded'));
  };
  await edits.ours('u', meanwhile, (answer) => see(edited, answer));
  expect(ordered).toEqual([
    {
      kind: 'Instance',
      namespace: 'n',
      name: 'o',
      generation: 3,
      action: 'update',
      cause: 'retry',
      delayMs: 0,
    },
  ]);
});

/** A write that is answered when the test says so. */
function answered() {
  let resolve: (answer: Deployable) => void = () => undefined;
  const promise = new Promise<Deployable>((settle) => (resolve = settle));
  return { promise, resolve };
}

test.each([
  ['in the order of their answers', ['a', 'b']],
  ['the other way round', ['b', 'a']],
])('two writes of ours at once order nothing, answered %s', async (_order, ends) => {
  const { edits, ordered, see } = subject();
  const versions = { a: version('2', 'Failed'), b: version('3', 'Suspended') };
  const answers = { a: answered(), b: answered() };
  const writes = {
    a: edits.ours(
      'u',
      () => answers.a.promise,
      () => undefined,
    ),
    b: edits.ours(
      'u',
      () => answers.b.promise,
      () => undefined,
    ),
  };
  see(first, versions.a);
  see(versions.a, versions.b);
  for (const end of ends as ('a' | 'b')[]) {
    answers[end].resolve(versions[end]);
    await writes[end];
  }
  expect(ordered).toEqual([]);
});

test("somebody's edit while two writes of ours are under way orders one look, when both are answered", async () => {
  const { edits, ordered, see } = subject();
  const [a, b] = [answered(), answered()];
  const one = edits.ours(
    'u',
    () => a.promise,
    () => undefined,
  );
  see(first, version('2', 'Made up'));
  const other = edits.ours(
    'u',
    () => b.promise,
    () => undefined,
  );
  a.resolve(version('3', 'Succeeded'));
  await one;
  expect(ordered).toEqual([]);
  b.resolve(version('4', 'Succeeded'));
  await other;
  expect(ordered).toHaveLength(1);
});

test("somebody's edit is not forgotten because a write of ours was refused", async () => {
  const { edits, ordered, see } = subject();
  const refused = (): Promise<Deployable> => {
    see(first, version('2', 'Made up'));
    return Promise.reject(new Error('refused'));
  };
  await expect(edits.ours('u', refused, () => undefined)).rejects.toThrow('refused');
  expect(ordered).toHaveLength(1);
  // And nothing is under way any more.
  see(first, version('3', 'Made up'));
  expect(ordered).toHaveLength(2);
});

test('edits one after the other order a look at once, and one after a while for all of the others', () => {
  const { ordered, clock, see } = subject();
  for (const turn of [1, 2, 3, 4]) {
    see(first, version(String(turn + 1), `Made up ${turn}`));
    clock.now += 1;
  }
  expect(ordered.map(({ delayMs }) => delayMs)).toEqual([0, 9_999]);
  clock.now += 60_000;
  see(first, version('9', 'Made up'));
  expect(ordered.at(-1)?.delayMs).toBe(0);
});

test('what tells the same orders nothing, nor does anything on a replica that does not lead', () => {
  const leader = subject();
  leader.see(first, version('2', 'Succeeded'));
  leader.see(first, {
    ...version('3', 'Succeeded'),
    status: { reason: 'Succeeded', properties: { a: 'b' } },
  });
  expect(leader.ordered).toEqual([]);
  const follower = subject({ leading: false });
  follower.see(first, version('2', 'Made up'));
  expect(follower.ordered).toEqual([]);
});
