import type { DeployableKind, ObjectKind } from '@symphony/model';
import { queueAddressesOf, queueSubjectOf, queueTypeOf } from '../../../modules/queue/index.js';
import { addressesOfWrite, addressOfInline, namespaceOf, saysYes, type Asked } from './asked.js';
import { need, type Need, type NeedVerb } from './needs.js';

/** What one route asks of its callers, and where it is answered. */
export interface RouteRule {
  /** @throws InvalidInputError for a request that its handler would refuse as well */
  needs: (asked: Asked) => Need[];
  /** Undefined: every replica can answer. */
  leader?: LeaderWay;
}

/** How the leader answers a request that came to another replica. */
export interface LeaderWay {
  /** Until its answer begins. */
  withinMs: number;
  /** The replica that was asked knows something, too, if nothing newer is to be had. Default: only the leader can answer. */
  orItself?: boolean;
  /** Only what is about a target that is being deleted, as everything is in a namespace that is: there nothing can be written down. */
  ofGoing?: boolean;
}

/** Longer than the longest look at providers (70 s). */
const LOOK: LeaderWay = { withinMs: 75_000 };
/** Runs are in the leader's memory at once, and in the cluster some seconds later. */
const HISTORY: LeaderWay = { withinMs: 5_000, orItself: true };
/** Any replica writes a report down, where it can. */
const LATE_REPORT: LeaderWay = { withinMs: 5_000, orItself: true, ofGoing: true };

function one(verb: NeedVerb, kind: ObjectKind, subresource?: string): RouteRule {
  return {
    needs: (asked) => [
      need(verb, kind, {
        namespace: namespaceOf(asked),
        name: asked.params['name'] ?? '',
        ...(subresource === undefined ? {} : { subresource }),
      }),
    ],
  };
}

function all(kind: ObjectKind): RouteRule {
  return { needs: ({ query }) => [need('list', kind, { namespace: query['namespace'] || undefined })] };
}

/**
 * It creates or replaces, so it needs both rights, unless a precondition rules one of them out: then the write fails rather than do
 * the other. As for Kubernetes' own routes, `create` is asked for without a name.
 */
function put(kind: ObjectKind): RouteRule {
  return {
    needs(asked) {
      const mayCreate = asked.headers['if-match'] === undefined;
      const mayReplace = asked.headers['if-none-match'] === undefined;
      // With both it can do neither; asking for nothing would let everybody try.
      const both = mayCreate === mayReplace;
      return addressesOfWrite(kind, asked).flatMap(({ namespace, name }) => [
        ...(mayCreate || both ? [need('create', kind, { namespace })] : []),
        ...(mayReplace || both ? [need('update', kind, { namespace, name })] : []),
      ]);
    },
  };
}

/** To forget an object and leave what it deployed is a change of the object, which `kubectl` makes with an annotation. */
function remove(kind: ObjectKind): RouteRule {
  return {
    needs(asked) {
      const scope = { namespace: namespaceOf(asked), name: asked.params['name'] ?? '' };
      const orphans = !['', 'false'].includes(asked.query['orphan']?.toLowerCase() ?? '');
      return [need('delete', kind, scope), ...(orphans ? [need('update', kind, scope)] : [])];
    },
  };
}

/** The right to every object that the request may turn out to mean. */
function queued(verb: NeedVerb, asked: Asked, fallback?: string): Need[] {
  return queueAddressesOf(queueSubjectOf(asked.query), fallback).map(({ kind, namespace, name }) =>
    need(verb, kind, { namespace, name }),
  );
}

/**
 * A posted deployment brings its own solution and targets: it can do what its sender could do by creating all three, and it is an
 * order on the lane of the instance.
 */
function inlineNeeds(asked: Asked): Need[] {
  const { namespace, name } = addressOfInline(asked);
  return [
    need('update', 'Instance', { namespace, name }),
    ...(['Instance', 'Solution', 'Target'] as const).map((kind) => need('create', kind, { namespace })),
  ];
}

const DEPLOYABLE: readonly DeployableKind[] = ['Instance', 'Target'];

/** The kinds that a word means; a word that means none is refused by the handler. */
function kindsOf(word: string | undefined): readonly DeployableKind[] {
  const meant = DEPLOYABLE.filter((kind) => kind.toLowerCase() === word?.toLowerCase());
  return meant.length > 0 ? meant : DEPLOYABLE;
}

/** Whoever takes it writes it down, and waits for what the leader says of it there. */
const inline: RouteRule = { needs: inlineNeeds };
const lane = (verb: 'get' | 'update'): RouteRule => ({
  needs: ({ params }) =>
    kindsOf(params['kind']).map((kind) =>
      need(verb, kind, { namespace: params['namespace'] ?? '', name: params['name'] ?? '' }),
    ),
  leader: LOOK,
});
const plan = (kind: DeployableKind): RouteRule => ({ ...one('get', kind), leader: LOOK });
const runs = (kind: DeployableKind): RouteRule => ({ ...one('get', kind), leader: HISTORY });

/**
 * Every route that takes a token, by its method and template: who may, and which only the leader can answer. A route that is not
 * here is refused to everybody. docs/kubernetes/access.md shows it to people.
 */
export const ROUTE_RULES: Readonly<Record<string, RouteRule>> = {
  'GET /v1alpha2/targets/registry': all('Target'),
  'POST /v1alpha2/targets/registry': put('Target'),
  'GET /v1alpha2/targets/registry/:name': one('get', 'Target'),
  'POST /v1alpha2/targets/registry/:name': put('Target'),
  'DELETE /v1alpha2/targets/registry/:name': remove('Target'),
  'PUT /v1alpha2/targets/status/:name': one('update', 'Target', 'status'),
  'PUT /v1alpha2/targets/status/:name/:component': {
    ...one('update', 'Target', 'status'),
    leader: LATE_REPORT,
  },
  'POST /v1alpha2/targets/ping/:name': one('update', 'Target', 'status'),
  'GET /v1alpha2/targets/download/:docType/:name': one('get', 'Target'),
  'GET /v1alpha2/targets/registry/:name/plan': plan('Target'),
  'GET /v1alpha2/targets/registry/:name/runs': runs('Target'),
  'GET /v1alpha2/targets/registry/:name/runs/:id': runs('Target'),

  'GET /v1alpha2/solutions': all('Solution'),
  'POST /v1alpha2/solutions': put('Solution'),
  'GET /v1alpha2/solutions/:name': one('get', 'Solution'),
  'POST /v1alpha2/solutions/:name': put('Solution'),
  'DELETE /v1alpha2/solutions/:name': remove('Solution'),

  'GET /v1alpha2/solutioncontainers': all('SolutionContainer'),
  'GET /v1alpha2/solutioncontainers/:name': one('get', 'SolutionContainer'),
  'POST /v1alpha2/solutioncontainers/:name': put('SolutionContainer'),
  'DELETE /v1alpha2/solutioncontainers/:name': remove('SolutionContainer'),

  'GET /v1alpha2/instances': all('Instance'),
  'POST /v1alpha2/instances': put('Instance'),
  'GET /v1alpha2/instances/:name': one('get', 'Instance'),
  'POST /v1alpha2/instances/:name': put('Instance'),
  'DELETE /v1alpha2/instances/:name': remove('Instance'),
  'GET /v1alpha2/instances/:name/plan': plan('Instance'),
  'GET /v1alpha2/instances/:name/runs': runs('Instance'),
  'GET /v1alpha2/instances/:name/runs/:id': runs('Instance'),

  'GET /v1alpha2/solution/queue': {
    needs: (asked) => queued('get', asked, asked.query['name'] || undefined),
    leader: LOOK,
  },
  'POST /v1alpha2/solution/queue': {
    needs: (asked) =>
      queueTypeOf(asked.query) === 'deployment'
        ? inlineNeeds(asked)
        : queued(saysYes(asked, 'delete') ? 'delete' : 'update', asked),
    leader: LOOK,
  },
  'DELETE /v1alpha2/solution/queue': { needs: (asked) => queued('update', asked), leader: LOOK },
  'POST /v1alpha2/solution/reconcile': inline,
  'POST /v1alpha2/solution/reconcile/:delete': inline,
  'POST /v1alpha2/solution/instances': inline,
  'DELETE /v1alpha2/solution/instances': inline,
  // It changes nothing, but what it calls, and with which credentials, is in the body.
  'GET /v1alpha2/solution/instances': { needs: inlineNeeds, leader: LOOK },

  'GET /v1alpha2/jobs': {
    needs: ({ query }) =>
      kindsOf(query['kind']).map((kind) =>
        need('list', kind, { namespace: query['namespace'] || undefined }),
      ),
    leader: LOOK,
  },
  'GET /v1alpha2/jobs/:kind/:namespace/:name': lane('get'),
  'POST /v1alpha2/jobs/:kind/:namespace/:name/suspend': lane('update'),
  'POST /v1alpha2/jobs/:kind/:namespace/:name/resume': lane('update'),
  'POST /v1alpha2/jobs': {
    needs: (asked) => [need('update', 'Instance', { namespace: namespaceOf(asked) })],
    leader: LOOK,
  },

  'GET /metrics': { needs: () => [{ verb: 'get', path: '/metrics' }] },
};

/** The rule of a matched route; HEAD is answered like GET. */
export function ruleOf(method: string, template: string | undefined): RouteRule | undefined {
  const key = `${method === 'HEAD' ? 'GET' : method} ${template ?? ''}`;
  return Object.hasOwn(ROUTE_RULES, key) ? ROUTE_RULES[key] : undefined;
}

/** How the leader answers what it knows better; undefined for all else. */
export function leaderWayOf(method: string, template: string | undefined): LeaderWay | undefined {
  return ruleOf(method, template)?.leader;
}
