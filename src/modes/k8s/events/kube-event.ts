import { randomBytes } from 'node:crypto';
import { beginningOf } from '@symphony/model';
import type { KubeObject, ResourceType } from '../client/index.js';

/** What an event is about. */
export interface Regarding {
  apiVersion: string;
  kind: string;
  namespace: string;
  name: string;
  uid: string;
}

/** What there is to tell of an object. */
export interface Happening {
  type: 'Normal' | 'Warning';
  /** UpperCamel and stable: what kind of thing happened. */
  reason: string;
  /** What was being done, UpperCamel. */
  action: string;
  /** A sentence; what is longer than 1 024 characters is cut. Nothing that the status may not say. */
  note: string;
}

/** Several times the same. */
interface EventSeries {
  count: number;
  /** RFC 3339 with six decimals. */
  lastObservedTime: string;
}

export interface KubeEvent extends KubeObject, Happening {
  eventTime: string;
  reportingController: string;
  reportingInstance: string;
  regarding: Regarding;
  series?: EventSeries;
}

/** kubectl shows them with those of the older API: it is the same store. */
export const EVENT_TYPE: ResourceType<KubeEvent> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

/** Who reports, to the server. */
const CONTROLLER = 'symphony-engine';
const MAX_NOTE = 1_024;
const MAX_INSTANCE = 128;
const MAX_NAME = 253;

/** An event that is not stored yet. @param at RFC 3339 with six decimals */
export function newEvent(
  regarding: Regarding,
  { type, reason, action, note }: Happening,
  { instance, at }: { instance: string; at: string },
): KubeEvent {
  const suffix = randomBytes(8).toString('hex');
  return {
    metadata: {
      name: `${regarding.name.slice(0, MAX_NAME - suffix.length - 1).replace(/[.-]+$/, '')}.${suffix}`,
      namespace: regarding.namespace,
    },
    eventTime: at,
    reportingController: CONTROLLER,
    reportingInstance: instance.slice(0, MAX_INSTANCE),
    action,
    reason,
    regarding,
    note: beginningOf(note, MAX_NOTE),
    type,
  };
}
