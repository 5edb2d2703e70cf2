import type { BindingSpec, DeploymentOwner, TargetSpec } from '@symphony/model';
import type { PlacesPage } from '../../../../modules/reconcile/index.js';
import type { Database, Statement } from '../../database/database.js';

// In the order of the index by target, so that a page reads on where the one before ended. What was put on targets of posted
// deployments has no stored target.
const PLACES: Statement = {
  name: 'ledger_places',
  text: `
  WITH page AS MATERIALIZED (
    SELECT DISTINCT ON (l.target_uid, l.role, l.binding_hash) l.*
    FROM ledger l
    WHERE l.provider = ANY ($1::text[]) AND l.target_uid >= $2
      AND (l.target_uid, l.role, l.binding_hash) > ($2, $3::text, $4::text)
    ORDER BY l.target_uid, l.role, l.binding_hash
    LIMIT $5)
  SELECT p.target_uid, p.role, p.binding_hash, p.target_name, p.scope, p.binding, p.owner_kind, p.owner_namespace,
         p.owner_name, p.owner_uid, t.spec
  FROM page p LEFT JOIN LATERAL (
    SELECT o.spec FROM objects o
    WHERE o.uid = CASE WHEN p.target_uid ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN p.target_uid::uuid END) AS t ON true
  ORDER BY p.target_uid, p.role, p.binding_hash`,
};

interface PlaceRow {
  target_uid: string;
  role: string;
  binding_hash: string;
  target_name: string;
  scope: string;
  binding: BindingSpec;
  owner_kind: DeploymentOwner['kind'];
  owner_namespace: string;
  owner_name: string;
  owner_uid: string;
  spec: TargetSpec | null;
}

/** One page of the places where these providers have put something. */
export async function placesWith(
  database: Database,
  providers: readonly string[],
  limit: number,
  after?: string,
): Promise<PlacesPage> {
  const from = after === undefined ? ['', '', ''] : (JSON.parse(after) as string[]);
  const rows = await database.query<PlaceRow>(PLACES, [providers, ...from, limit]);
  const last = rows.at(-1);
  const items = rows.flatMap(({ spec, ...row }) => {
    if (!spec) return [];
    const { target_uid: targetUid, target_name: targetName, role, binding, binding_hash, scope } = row;
    const { owner_kind: kind, owner_namespace: namespace, owner_name: name, owner_uid: uid } = row;
    const owner = { kind, namespace, name, uid };
    const target = { name: targetName, uid: targetUid, spec };
    return [{ targetUid, targetName, role, binding, bindingHash: binding_hash, scope, owner, target }];
  });
  if (rows.length < limit || !last) return { items };
  return { items, next: JSON.stringify([last.target_uid, last.role, last.binding_hash]) };
}
