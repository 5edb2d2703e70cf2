import type { ApiClient, CallOptions, Selection } from './api-client.js';
import { ExpiredError } from './api-errors.js';
import type { KubeList, KubeObject, ResourceType } from './kube-object.js';

/** As client-go: pages that neither side has to hold at once, for hundreds of thousands of objects. */
const PAGE_SIZE = 500;

export interface ListAllOptions extends Selection, Pick<CallOptions, 'signal' | 'attempts' | 'attemptMs'> {
  pageSize?: number;
}

/**
 * All objects as of one moment, read in pages. The pages show the same state, however much is written meanwhile. Should
 * that state expire between two pages, everything is read once more in a single answer, which cannot expire.
 * @throws what a page threw: there is no half list
 */
export async function listAll<T extends KubeObject>(
  client: ApiClient,
  type: ResourceType<T>,
  { pageSize = PAGE_SIZE, ...options }: ListAllOptions = {},
): Promise<KubeList<T>> {
  const items: T[] = [];
  let token: string | undefined;
  try {
    for (;;) {
      const page = await client.list(type, { ...options, limit: pageSize, continue: token });
      items.push(...page.items);
      token = page.continue;
      if (token === undefined) return { ...page, items };
    }
  } catch (error) {
    if (!(error instanceof ExpiredError)) throw error;
    return client.list(type, options);
  }
}
