// Everything that is wrong in a database of etcd: its structure as bbolt's, and what etcd keeps in it.

import type { PageSource } from '../../bbolt/page-source.ts';
import { type ReadStore, readStore } from './read-store.ts';
import type { StoreFinding } from './store-finding.ts';

export type CheckedStore = Pick<ReadStore, 'meta' | 'pagesReachable' | 'errors' | 'warnings'>;

/**
 * Checks a database, to its end whatever is found.
 * @param found told of each finding as it is met
 * @param options.structureOnly to look at the pages, and not at what etcd keeps in them
 * @throws EtcdkeepError `file-failed`
 */
export async function checkStore(
  source: PageSource,
  found: (finding: StoreFinding) => void,
  { structureOnly = false }: { readonly structureOnly?: boolean } = {},
): Promise<CheckedStore> {
  const wish = structureOnly ? { found } : { found, records: 0n };
  const { meta, pagesReachable, errors, warnings } = await readStore(source, wish);
  return { meta, pagesReachable, errors, warnings };
}
