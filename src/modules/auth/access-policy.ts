/** The roles a user may have. */
export const ROLES = ['administrator', 'reader', 'solution-creator', 'target-manager', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** Path segments below `/v1alpha2` that belong together: `['solution', 'queue']` covers `solution/queue` and all below. */
type Area = readonly string[];

interface Rule {
  /** What the role may do: everything, or only look. */
  methods: 'any' | 'read';
  areas: 'all' | readonly Area[];
  except?: readonly Area[];
}

/** These take a whole deployment and run it, whatever the method: not for those who may only look. */
const INLINE_ENGINE: readonly Area[] = [
  ['solution', 'reconcile'],
  ['solution', 'instances'],
];

/** Who may do what: the one table. docs/security.md shows it to people. */
const POLICY: Readonly<Record<Role, Rule>> = {
  administrator: { methods: 'any', areas: 'all' },
  reader: { methods: 'read', areas: 'all', except: INLINE_ENGINE },
  'solution-creator': { methods: 'any', areas: [['solutions'], ['solutioncontainers']] },
  'target-manager': { methods: 'any', areas: [['targets']] },
  operator: { methods: 'any', areas: [['instances'], ['solution', 'queue'], ...INLINE_ENGINE, ['jobs']] },
};

const VERSION_PREFIX = 'v1alpha2';
const READING = new Set(['GET', 'HEAD']);

export interface AccessDecision {
  allowed: boolean;
  /** Every role that would be enough, for the message to whom it was refused. */
  enough: Role[];
}

/**
 * Decides by the segments of the route that was matched, never by the text of the URL.
 * @param segments of the matched route with its parameters filled in, for example `['v1alpha2', 'targets', 'registry', 'a/b']`
 */
export function decideAccess(
  roles: readonly string[],
  method: string,
  segments: readonly string[],
): AccessDecision {
  const path = segments[0] === VERSION_PREFIX ? segments.slice(1) : segments;
  const enough = ROLES.filter((role) => permits(POLICY[role], method, path));
  return { allowed: enough.some((role) => roles.includes(role)), enough };
}

function permits(rule: Rule, method: string, path: readonly string[]): boolean {
  if (rule.methods === 'read' && !READING.has(method)) return false;
  if (rule.except?.some((area) => covers(area, path))) return false;
  return rule.areas === 'all' || rule.areas.some((area) => covers(area, path));
}

function covers(area: Area, path: readonly string[]): boolean {
  return area.every((segment, index) => path[index] === segment);
}

/**
 * The segments of a matched route: each parameter of the template is one segment, however many slashes its value has.
 * @param template as the router has it, for example `/v1alpha2/targets/registry/:name`
 */
export function segmentsOf(template: string, params: Readonly<Record<string, unknown>>): string[] {
  return template
    .split('/')
    .filter((segment) => segment !== '')
    .map((segment) => {
      if (!segment.startsWith(':')) return segment;
      const value = params[segment.slice(1).replace(/\?$/, '')];
      return typeof value === 'string' ? value : segment;
    });
}
