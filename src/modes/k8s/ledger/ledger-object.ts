import { createHash } from 'node:crypto';
import {
  hashOf,
  ledgerKeyText,
  type DeploymentOwner,
  type KnownAs,
  type LedgerEntry,
  type LedgerKey,
} from '@symphony/model';
import { apiVersionOf, type KubeObject, type OwnerReference, type ResourceType } from '../client/index.js';
import { LEDGERS, type LedgerRow, type LedgerSpec } from '../crds/index.js';
import type { Reflector } from '../reflector/index.js';
import { typeOf } from '../objects/custom-object.js';

/** All that one owner has on one target. */
export interface LedgerObject extends KubeObject {
  spec: LedgerSpec;
}

export const LEDGER_TYPE: ResourceType<LedgerObject> = {
  group: LEDGERS.group,
  version: 'v1',
  plural: LEDGERS.plural,
  kind: LEDGERS.kind,
  namespaced: true,
};

/** Keeps a ledger that is deleted with its owner, by garbage collection or with its namespace, until it is empty. */
export const LEDGER_FINALIZER = 'ledger.engine.symphony/finalizer';

/** How ledgers are found: by uid of the owner, by uid of the target, by name of the owner (`ledgerNameKey`), by provider. */
export const LEDGER_INDEXES = {
  owner: ({ spec }: LedgerObject) => [spec.owner.uid],
  target: ({ spec }: LedgerObject) => [spec.targetUid],
  name: ({ spec }: LedgerObject) => [ledgerNameKey(spec.owner)],
  provider: ({ spec }: LedgerObject) => [...new Set((spec.entries ?? []).map(({ provider }) => provider))],
};
export type LedgerIndex = keyof typeof LEDGER_INDEXES;
export type LedgerReflector = Reflector<LedgerObject, LedgerIndex>;

export function ledgerNameKey({ kind, namespace, name }: Omit<DeploymentOwner, 'uid'>): string {
  return `${kind}/${namespace}/${name}`;
}

/** What the rows of a ledger object have in common. */
export interface LedgerPlace {
  owner: DeploymentOwner;
  targetUid: string;
  targetName: string;
  knownAs?: KnownAs;
}

/** Readable, and the same for the same uids whatever becomes of the names. */
function ledgerNameOf({ owner, targetUid, targetName }: LedgerPlace): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([owner.uid, targetUid]))
    .digest('hex');
  return `${slug(owner.name)}.${slug(targetName)}.${hash.slice(0, 16)}`;
}

export function rowKeyOf(key: LedgerKey): string {
  return hashOf(ledgerKeyText(key));
}

export function entriesIn({ spec }: LedgerObject): LedgerEntry[] {
  const { owner, targetUid, targetName, knownAs, entries = [] } = spec;
  const place = { owner, targetUid, targetName, ...(knownAs ? { knownAs } : {}) };
  return entries.map(({ key: _key, ...row }) => ({ ...row, ...place }));
}

export function rowOf(entry: LedgerEntry): LedgerRow {
  const { owner: _owner, targetUid: _uid, targetName: _name, knownAs: _marks, ...row } = entry;
  return { key: rowKeyOf(entry), ...row };
}

/** A new ledger object, not stored yet. */
export function newLedger(place: LedgerPlace, epoch: number, entries: readonly LedgerEntry[]): LedgerObject {
  const { owner, targetUid, targetName, knownAs } = place;
  return {
    metadata: {
      name: ledgerNameOf(place),
      namespace: owner.namespace,
      finalizers: [LEDGER_FINALIZER],
      ownerReferences: ownerReferencesOf(owner),
    },
    spec: {
      epoch,
      owner,
      targetUid,
      targetName,
      ...(knownAs ? { knownAs } : {}),
      entries: entries.map(rowOf),
    },
  };
}

/** A posted deployment is no object of Kubernetes, so that nothing could refer to it. */
function ownerReferencesOf({ kind, name, uid }: DeploymentOwner): OwnerReference[] {
  if (kind !== 'Instance' && kind !== 'Target') return [];
  return [{ apiVersion: apiVersionOf(typeOf(kind)), kind, name, uid, blockOwnerDeletion: false }];
}

/** A part of a name; what is cut off is told apart by the hash behind it. */
export function slug(text: string): string {
  return (
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-')
      .slice(0, 60)
      .replaceAll(/^-+|-+$/g, '') || 'x'
  );
}

/** What a person reads of an entry. */
export function lineOf({ component, targetName, provider }: LedgerEntry): string {
  return `${component} on ${targetName} (${provider})`;
}
