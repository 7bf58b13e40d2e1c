// Everything that is wrong in a database: what bbolt's own check looks for (tx_check.go), and what it does
// not: the length of the file, the bounds of every element, what is inside of inline buckets, cycles.

import type { Finding, Found } from './finding.ts';
import { checkFreelist } from './freelist.ts';
import { inspectMetas, type Meta } from './meta.ts';
import type { PageSource } from './page-source.ts';
import type { TreeVisitor } from './tree-visitor.ts';
import { walkTree } from './walk.ts';

export interface CheckedDatabase {
  /** Undefined if neither meta page can be used: then nothing else was looked at. */
  readonly meta: Meta | undefined;
  /** Pages in use. */
  readonly pagesReachable: number;
  readonly findings: number;
}

/** For who looks at the structure alone. */
const STRUCTURE_ONLY: TreeVisitor = {
  enterBucket: () => true,
  leaf: () => undefined,
  scannedLeaf: () => undefined,
};

/**
 * Checks a database, to its end whatever is found.
 * @param found told of each finding as it is met
 * @param visitor told of what is sound on the way
 * @throws EtcdkeepError `file-failed`
 */
export async function checkDatabase(
  source: PageSource,
  found: Found,
  visitor = STRUCTURE_ONLY,
): Promise<CheckedDatabase> {
  let findings = 0;
  const count = (finding: Finding): void => {
    findings += 1;
    found(finding);
  };
  const meta = await inspectMetas(source, count);
  if (meta === undefined) return { meta, pagesReachable: 0, findings };
  const reached = await walkTree(source, meta, visitor, { found: count });
  await checkFreelist(source, meta, reached, count);
  return { meta, pagesReachable: reached.size, findings };
}
