import {
  isFailure,
  StateCode,
  TargetSpec,
  type ComponentSpec,
  type ComponentResultSpec,
} from '@symphony/model';
import type { ApplyCall, ApplyResults, ComponentStep, ProviderCall, TargetProvider } from './contract.js';
import { redactor } from './redact.js';
import { check, equal, rejects } from './conformance-assert.js';

/** A provider with a target of its own: fresh and empty for each check. */
export interface ConformanceHarness {
  readonly provider: TargetProvider;
  /** A valid component. Revisions 1 and 2 differ in what the provider applies; `secret` becomes part of a property. */
  component(name: string, revision: 1 | 2, secret?: string): ComponentSpec;
  /** What the target really holds, read past the provider: per component name a text that differs by revision. */
  look(): Promise<Record<string, string>>;
  /** A text that changes with every write to the target, also with one that writes what is there already. */
  writes?(): Promise<string>;
  /** From now on the target cannot be read. */
  makeUnreadable(): Promise<void>;
  /** From now on a call hangs; the promise that it returns resolves when a call has got stuck. */
  makeHang(): Promise<{ stuck: Promise<void> }>;
  /** From now on every apply fails, in the way most likely to quote what it was given. */
  makeFail(): Promise<void>;
  /** From now on every apply is accepted for later; `finish` does all that was accepted. Left out where nothing ever is. */
  makePend?(): Promise<{ finish(): Promise<void> }>;
  /** What the calls carry beside the sample values. */
  call?: Partial<ProviderCall>;
  dispose(): Promise<void>;
}

/** What the suite takes from its surroundings: libs have neither a test runner nor timers. */
export interface ConformanceTools {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
  /** Resolves after so many milliseconds. */
  delay(milliseconds: number): Promise<void>;
}

export interface ConformanceCheck {
  name: string;
  run(harness: ConformanceHarness, tools: Pick<ConformanceTools, 'delay'>): Promise<void>;
}

/** How long a call may go on after it was aborted. */
export const ABORT_LIMIT_MS = 2_000;

/** Registers the whole suite for one provider. */
export function conformance(
  name: string,
  makeHarness: () => Promise<ConformanceHarness>,
  tools: ConformanceTools,
): void {
  tools.describe(`${name} keeps the contract of a target provider`, () => {
    for (const entry of CONFORMANCE_CHECKS) {
      tools.it(entry.name, async () => {
        const harness = await makeHarness();
        try {
          await entry.run(harness, tools);
        } finally {
          await harness.dispose();
        }
      });
    }
  });
}

const OWNER_UID = '6f1c2b34-0000-4000-8000-000000000001';

/** A call as the engine makes it, for `components` of the instance `conformance`; parts can be replaced. */
export function sampleCall(
  components: readonly ComponentSpec[],
  overrides: Partial<ProviderCall> = {},
): ProviderCall {
  const target = overrides.target ?? { name: 'target', uid: `${OWNER_UID}-t`, spec: new TargetSpec() };
  return {
    deployment: {
      solutionName: 'conformance-v-1',
      solution: {
        metadata: { name: 'conformance-v-1', namespace: 'default' },
        spec: { components: [...components] },
      },
      instance: {
        metadata: { name: 'conformance', namespace: 'default' },
        spec: { solution: 'conformance:1', target: { name: target.name } },
      },
      targets: { [target.name]: { metadata: { name: target.name }, spec: target.spec } },
      assignments: { [target.name]: components.map((component) => `{${component.name}}`).join('') },
      activeTarget: target.name,
      generation: '1',
      jobID: '1',
      objectNamespace: 'default',
      hash: '',
      isDryRun: false,
      isInActive: false,
    },
    owner: { kind: 'Instance', namespace: 'default', name: 'conformance', uid: OWNER_UID },
    role: 'instance',
    scope: 'default',
    signal: new AbortController().signal,
    timeoutMs: 60_000,
    ...overrides,
    target,
  };
}

/** The suite; each check wants a fresh harness. */
export const CONFORMANCE_CHECKS: readonly ConformanceCheck[] = [
  {
    name: 'reports nothing on an empty target',
    async run(h) {
      equal(await present(h, ['a', 'b']), []);
    },
  },
  {
    name: 'shows what was applied, in the shape of the declaration',
    async run(h) {
      await applied(h, [h.component('a', 1), h.component('b', 1)]);
      const found = await get(h, ['a', 'b']);
      equal(names(found), ['a', 'b']);
      equal(Object.keys(await h.look()).sort(), ['a', 'b']);
    },
  },
  {
    name: 'reports only what was asked for',
    async run(h) {
      await applied(h, [h.component('a', 1), h.component('b', 1)]);
      equal(await present(h, ['b', 'c']), ['b']);
    },
  },
  {
    name: 'changes nothing when it applies the same again',
    async run(h) {
      await applied(h, [h.component('a', 1)]);
      const [before, writes] = [await h.look(), await h.writes?.()];
      await applied(h, [h.component('a', 1)]);
      equal(await h.look(), before);
      equal(await h.writes?.(), writes);
    },
  },
  {
    name: 'applies a change',
    async run(h) {
      await applied(h, [h.component('a', 1), h.component('b', 1)]);
      const before = await h.look();
      await applied(h, [h.component('a', 2)]);
      const after = await h.look();
      check(after['a'] !== before['a'], 'the target still holds the old revision');
      equal(after['b'], before['b']);
      equal(names(await get(h, ['a'], 2)), ['a']);
    },
  },
  {
    name: 'removes one and leaves the others',
    async run(h) {
      await applied(h, [h.component('a', 1), h.component('b', 1)]);
      await removed(h, [h.component('a', 1)]);
      equal(await present(h, ['a', 'b']), ['b']);
      equal(Object.keys(await h.look()), ['b']);
    },
  },
  {
    name: 'succeeds in removing what is gone',
    async run(h) {
      await removed(h, [h.component('never-there', 1)]);
      await applied(h, [h.component('a', 1)]);
      await removed(h, [h.component('a', 1)]);
      await removed(h, [h.component('a', 1)]);
      equal(await h.look(), {});
    },
  },
  {
    name: 'touches nothing in a dry run',
    async run(h) {
      await applied(h, [h.component('a', 1)]);
      const [before, writes] = [await h.look(), await h.writes?.()];
      failures(await apply(h, update([h.component('a', 2), h.component('b', 1)]), { dryRun: true }), []);
      failures(await apply(h, remove([h.component('a', 1)]), { dryRun: true }), []);
      equal(await h.look(), before);
      equal(await h.writes?.(), writes);
    },
  },
  {
    name: 'refuses a component that lacks what the rule requires, and says so for that component',
    async run(h) {
      for (const broken of brokenComponents(h)) {
        for (const dryRun of [true, false]) {
          const results = await apply(h, update([broken, h.component('fine', 1)]), { dryRun });
          failures(results, [broken.name]);
          const status = results[broken.name]?.status;
          const refusal = status === StateCode.ValidateFailed || status === StateCode.BadRequest;
          check(refusal, `refused with ${String(status)} instead of 8003 or 400`);
          check(!Object.hasOwn(await h.look(), broken.name), 'the refused component was applied');
        }
      }
    },
  },
  {
    name: 'names only components of the step in its results',
    async run(h) {
      await applied(h, [h.component('a', 1), h.component('b', 1)]);
      equal(extra(await apply(h, update([h.component('a', 2)])), ['a']), []);
      equal(extra(await apply(h, remove([h.component('b', 1)])), ['b']), []);
    },
  },
  {
    name: 'rejects when the target cannot be read, rather than reporting nothing',
    async run(h) {
      await applied(h, [h.component('a', 1)]);
      await h.makeUnreadable();
      await rejects(get(h, ['a']), 'get of an unreadable target');
    },
  },
  {
    name: `ends a get within ${ABORT_LIMIT_MS} ms of the abort`,
    async run(h, tools) {
      await endsAfterAbort(h, tools, (signal) => get(h, ['a'], 1, signal));
    },
  },
  {
    name: `ends an apply within ${ABORT_LIMIT_MS} ms of the abort`,
    async run(h, tools) {
      await endsAfterAbort(h, tools, (signal) => apply(h, update([h.component('a', 1)]), { signal }));
    },
  },
  {
    name: 'does nothing for a call that was aborted before it began',
    async run(h) {
      const signal = AbortSignal.abort(new Error('aborted beforehand'));
      await rejects(apply(h, update([h.component('a', 1)]), { signal }), 'an aborted apply');
      await rejects(get(h, ['a'], 1, signal), 'an aborted get');
      equal(await h.look(), {});
    },
  },
  {
    name: 'answers pending for what it has accepted, shows it only when it is done, and is pending in no dry run',
    async run(h) {
      const pend = await h.makePend?.();
      if (!pend) return;
      const dry = await apply(h, update([h.component('a', 1)]), { dryRun: true });
      check(dry['a']?.pending === undefined, 'a dry run is pending');
      const { pending, status } = (await apply(h, update([h.component('a', 1)])))['a'] ?? {};
      check(pending !== undefined, 'what was accepted for later is not pending');
      check(pending?.ticket !== '', 'the ticket is empty');
      check(pending?.deadlineMs === undefined || pending.deadlineMs > 0, 'the deadline is not above 0');
      check(
        status !== undefined && !isFailure(status),
        `pending with the status of a failure, ${String(status)}`,
      );
      equal(await h.look(), {});
      equal(await present(h, ['a']), []);
      await pend.finish();
      equal(await present(h, ['a']), ['a']);
      equal(Object.keys(await h.look()), ['a']);
    },
  },
  {
    name: 'keeps secrets out of errors and messages',
    async run(h) {
      const secret = 'conformance-s3cret-"quoted"';
      await h.makeFail();
      const texts = await apply(h, update([h.component('a', 1, secret)]), {
        redact: redactor([secret]),
      }).then(
        (results) => Object.values(results).map((result) => result.message),
        (error: unknown) => [errorText(error)],
      );
      check(texts.length > 0, 'a failing apply reported nothing');
      for (const text of texts) check(!text.includes('s3cret'), 'a message contains the secret');
    },
  },
];

function brokenComponents(h: ConformanceHarness): ComponentSpec[] {
  const { requiredType, componentValidationRule: own } = h.provider.rule;
  const broken: ComponentSpec[] = [];
  for (const key of own?.requiredProperties ?? []) {
    const component = h.component(`no-${key}`, 1);
    broken.push(Object.assign({}, component, { properties: without(component.properties, key) }));
    broken.push(Object.assign({}, component, { properties: { ...component.properties, [key]: '' } }));
  }
  for (const key of own?.requiredMetadata ?? []) {
    const component = h.component(`no-${key}`, 1);
    broken.push(Object.assign({}, component, { metadata: without(component.metadata, key) }));
  }
  if (requiredType) {
    broken.push(Object.assign({}, h.component('wrong-type', 1), { type: `not-${requiredType}` }));
  }
  return broken;
}

async function endsAfterAbort(
  h: ConformanceHarness,
  tools: Pick<ConformanceTools, 'delay'>,
  start: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const { stuck } = await h.makeHang();
  const controller = new AbortController();
  const call = start(controller.signal).then(
    () => 'fulfilled' as const,
    () => 'rejected' as const,
  );
  const early = await Promise.race([call, stuck]);
  check(early === undefined, `the call ended (${String(early)}) although it was made to hang`);
  controller.abort(new Error('the test aborts'));
  const end = await Promise.race([call, tools.delay(ABORT_LIMIT_MS)]);
  check(end !== undefined, `the call still hangs ${ABORT_LIMIT_MS} ms after the abort`);
  check(end === 'rejected', 'the aborted call claims success');
}

async function get(
  h: ConformanceHarness,
  wanted: readonly string[],
  revision: 1 | 2 = 1,
  signal?: AbortSignal,
): Promise<ComponentSpec[]> {
  const components = wanted.map((name) => h.component(name, revision));
  const call = sampleCall(components, { ...h.call, ...(signal ? { signal } : {}) });
  return h.provider.get({ ...call, references: update(components) });
}

async function apply(
  h: ConformanceHarness,
  steps: readonly ComponentStep[],
  options: Partial<Pick<ApplyCall, 'dryRun' | 'signal' | 'redact'>> = {},
): Promise<ApplyResults> {
  const { dryRun = false, ...overrides } = options;
  const components = steps.map((step) => step.component);
  const call = sampleCall(components, { ...h.call, ...overrides });
  return h.provider.apply({ ...call, steps, dryRun, isFirst: true });
}

async function applied(h: ConformanceHarness, components: readonly ComponentSpec[]): Promise<void> {
  failures(await apply(h, update(components)), []);
}

async function removed(h: ConformanceHarness, components: readonly ComponentSpec[]): Promise<void> {
  failures(await apply(h, remove(components)), []);
}

function failures(results: ApplyResults, expected: readonly string[]): void {
  const failed = Object.entries(results).filter(([, result]: [string, ComponentResultSpec]) =>
    isFailure(result.status),
  );
  const said = failed.map(([name, result]) => `${name}: ${result.status} ${result.message}`).join('; ');
  equal(failed.map(([name]) => name).sort(), [...expected].sort(), said);
}

const update = (components: readonly ComponentSpec[]): ComponentStep[] =>
  components.map((component) => ({ action: 'update', component }));
const remove = (components: readonly ComponentSpec[]): ComponentStep[] =>
  components.map((component) => ({ action: 'delete', component }));
const names = (components: readonly ComponentSpec[]): string[] => components.map(({ name }) => name).sort();
const extra = (results: ApplyResults, allowed: readonly string[]): string[] =>
  Object.keys(results).filter((name) => !allowed.includes(name));
const present = async (h: ConformanceHarness, wanted: readonly string[]): Promise<string[]> =>
  names(await get(h, wanted));

function without<T>(values: Readonly<Record<string, T>> | undefined, key: string): Record<string, T> {
  return Object.fromEntries(Object.entries(values ?? {}).filter(([name]) => name !== key));
}

/** The error with its causes and fields, as a careless logger would print it. */
function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : errorText(error.cause);
  return `${error.message} ${error.stack ?? ''} ${JSON.stringify(Object.entries(error))} ${cause}`;
}
