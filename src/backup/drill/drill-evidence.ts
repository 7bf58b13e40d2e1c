// What a drill has compared, in a sentence for the record.

import { formatClock, formatCount } from '../../base/units.ts';
import type { DrillFindings } from './drill.ts';

export function evidenceOf(findings: DrillFindings, milliseconds: number): string {
  const {
    examination,
    etcd,
    restored,
    isRestoredSame,
    compared,
    grown,
    exercised,
    followed,
    reasons,
  } = findings;
  const { status, hashKV } = examination.snapshot ?? {};
  const revision = status?.currentRevision;
  const parts = [...reasons];
  if (etcd !== undefined) parts.push(`etcd ${etcd.version} (${etcd.name})`);
  if (restored !== undefined)
    parts.push(...restored.changes.map((change) => `${change} (in scratch)`));
  if (compared !== undefined) {
    parts.push(
      `HashKV ${hashKV} at revision ${revision} and ${formatCount(compared.keys)} keys (value, lease, revisions, version) as in the snapshot`,
    );
  } else if (isRestoredSame === true) {
    parts.push(
      `restored, the database has the same revision ${revision}, ${formatCount(status!.liveKeys)} keys and HashKV ${hashKV}`,
    );
  }
  if (grown !== undefined) {
    parts.push(`HashKV ${grown.hashKV} at revision ${grown.revision} on a second member as well`);
  }
  if (exercised !== undefined && followed !== undefined) {
    const keys = formatCount(exercised.keys);
    const hash = `HashKV ${followed.hashKV} at revision ${followed.revision} on both`;
    parts.push(`${keys} keys written and read, compacted: ${hash}`);
  }
  return [...parts, ...examination.seen, `took ${formatClock(milliseconds)}`].join('; ');
}
