import { createHash } from 'node:crypto';
import type { LedgerEntry, OutcomeReport } from '@symphony/model';
import type { ComponentReport } from '../../../modules/state/index.js';
import { apiVersionOf, type KubeObject, type ResourceType } from '../client/index.js';
import { COMPONENT_REPORTS, type ComponentReportSpec, type ReportedRow } from '../crds/index.js';
import { rowKeyOf } from '../ledger/ledger-object.js';
import { typeOf, type CustomObject } from '../objects/custom-object.js';

/** What was reported of a component, on its way into the ledger. */
export interface ReportObject extends KubeObject {
  spec: ComponentReportSpec;
}

export const REPORT_TYPE: ResourceType<ReportObject> = {
  group: COMPONENT_REPORTS.group,
  version: 'v1',
  plural: COMPONENT_REPORTS.plural,
  kind: COMPONENT_REPORTS.kind,
  namespaced: true,
};

/**
 * Whether a report is about an entry. What was accepted with a ticket wants that ticket; so does, or the generation, what is
 * reported before the provider's own answer was written, since nothing else tells it from a report on what was asked for before.
 * The rule is that of the SQL in standalone mode (component-report.ts).
 */
export function isAbout(report: ComponentReport, entry: LedgerEntry): boolean {
  const { component, ticket, generation, instance } = report;
  if (entry.component !== component || entry.state === 'applied') return false;
  if (generation !== undefined && entry.generation !== generation) return false;
  if (instance !== undefined && entry.owner.name !== instance) return false;
  if (!entry.pending) return ticket !== undefined || generation !== undefined;
  return entry.pending.ticket === undefined || entry.pending.ticket === ticket;
}

/** Whether an entry is still what a report was about when it came: nothing was asked for anew since. */
export function isStill({ spec: { ticket } }: ReportObject, row: ReportedRow, entry: LedgerEntry): boolean {
  if (entry.state === 'applied' || entry.generation !== row.generation) return false;
  const { pending } = entry;
  if (row.since !== undefined) return pending?.since === row.since;
  // Accepted meanwhile, with a ticket or without.
  return !pending || pending.ticket === undefined || pending.ticket === ticket;
}

/** What the ledger keeps of it. */
export function outcomeOf({ spec: { state, message, ticket, at } }: ReportObject): OutcomeReport {
  return { state, message, at, ...(ticket === undefined ? {} : { ticket }) };
}

/** A report as it is written down. The same report given again takes the place of the one before. */
export function reportObject(
  target: CustomObject<'Target'>,
  report: ComponentReport,
  entries: readonly LedgerEntry[],
): ReportObject {
  const { name: targetName, namespace = '', uid: targetUid = '' } = target.metadata;
  const { component, state, message, ticket } = report;
  return {
    metadata: {
      name: nameOf(targetUid, report),
      namespace,
      ownerReferences: [
        { apiVersion: apiVersionOf(typeOf('Target')), kind: 'Target', name: targetName, uid: targetUid },
      ],
    },
    spec: {
      targetUid,
      targetName,
      component,
      state,
      message,
      ...(ticket === undefined ? {} : { ticket }),
      at: new Date().toISOString(),
      rows: entries.map(rowOf),
    },
  };
}

function rowOf(entry: LedgerEntry): ReportedRow {
  const { owner, generation, pending } = entry;
  const key = rowKeyOf(entry);
  const since = pending ? { since: pending.since } : {};
  return { id: `${owner.uid} ${key}`, owner, key, generation, ...since };
}

function nameOf(targetUid: string, { component, ticket, generation, instance }: ComponentReport): string {
  const what = JSON.stringify([targetUid, component, ticket ?? '', generation ?? '', instance ?? '']);
  return `report-${createHash('sha256').update(what).digest('hex').slice(0, 32)}`;
}
