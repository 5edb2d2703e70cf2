import type { StoredObject } from '@symphony/model';
import { expect, test } from 'vitest';
import type { RunRecord } from '../queue/index.js';
import { ObjectStore, type ObjectKey } from '../state/index.js';
import type { Explainer } from './explain.js';
import { RunHistory, type RunPage } from './run-history.js';
import { InstanceRunsController, TargetRunsController } from './solution.controllers.js';

const unused = (): never => {
  throw new Error('the history of runs needs no more than the uid of its object');
};

/** Answers for one object, by its key, and notes what was asked. */
class OneObject extends ObjectStore {
  readonly asked: ObjectKey[] = [];
  readonly list = unused;
  readonly put = unused;
  readonly requestDeletion = unused;
  readonly orphan = unused;
  readonly report = unused;

  override get(key: ObjectKey): Promise<StoredObject<never> | undefined> {
    this.asked.push(key);
    const found = key.name === 'app' ? ({ ...key, uid: 'uid-app' } as StoredObject<never>) : undefined;
    return Promise.resolve(found);
  }
}

class Runs extends RunHistory {
  readonly prune = unused;

  override list(objectUid: string): Promise<RunPage> {
    return Promise.resolve({ items: [{ objectUid } as unknown as RunRecord] });
  }

  override get(objectUid: string, runId: string): Promise<RunRecord | undefined> {
    return Promise.resolve({ objectUid, runId } as unknown as RunRecord);
  }
}

const explainer = { explain: unused } as unknown as Explainer;
const reply = { header: unused } as never;

test('the uid that runs are kept under is that of the one object that is asked for', async () => {
  const objects = new OneObject();
  const instances = new InstanceRunsController(explainer, objects, new Runs());
  const targets = new TargetRunsController(explainer, objects, new Runs());
  expect(await instances.getRuns('app', 'shop', undefined, undefined, reply)).toEqual([
    { objectUid: 'uid-app' },
  ]);
  expect(await targets.getRun('app', '7', undefined)).toEqual({ objectUid: 'uid-app', runId: '7' });
  await expect(instances.getRun('none', '7', undefined)).rejects.toMatchObject({
    status: 404,
    message: 'There is no Instance none in namespace default.',
  });
  expect(objects.asked).toEqual([
    { kind: 'Instance', namespace: 'shop', name: 'app' },
    { kind: 'Target', namespace: 'default', name: 'app' },
    { kind: 'Instance', namespace: 'default', name: 'none' },
  ]);
});
