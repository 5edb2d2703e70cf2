import { ValidateBy } from 'class-validator';
import { DURATION_PATTERN, parseDuration } from '../duration.js';
import { Text } from '../fields.js';

const INTERVAL_MEANING = 'must be a duration such as 30m, 1h or 90s, or 0 for "on change only"';

/** When to reconcile again. */
export class ReconciliationPolicy {
  @Text({ oneOf: ['active', 'inactive'], default: 'active', description: '`inactive`: only on change.' })
  state?: string;

  @Text({
    max: 64,
    description: 'Go duration syntax; `0`: only on change. Default: the configuration, 30m.',
    rule: { cel: `self.matches('${DURATION_PATTERN}')`, message: `interval ${INTERVAL_MEANING}` },
  })
  @ValidateBy(
    {
      name: 'duration',
      validator: { validate: (v: unknown) => typeof v === 'string' && parseDuration(v) !== undefined },
    },
    { message: INTERVAL_MEANING },
  )
  interval?: string;
}

/** What the configuration says where an object is silent, in milliseconds. */
export interface IntervalDefaults {
  interval: number;
  minInterval: number;
}

/** The time between periodic runs in milliseconds; undefined: on change only. Shorter ones are raised to the minimum. */
export function intervalOf(
  policy: ReconciliationPolicy | undefined,
  defaults: IntervalDefaults,
): number | undefined {
  if (policy?.state === 'inactive') return undefined;
  const wanted =
    policy?.interval === undefined
      ? defaults.interval
      : (parseDuration(policy.interval) ?? defaults.interval);
  return wanted === 0 ? undefined : Math.max(wanted, defaults.minInterval);
}
