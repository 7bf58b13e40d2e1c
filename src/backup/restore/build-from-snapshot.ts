// Makes the data directory of a plan from its snapshot: one member, alone in a new cluster, whose revisions begin above
// everything that anybody can have seen.

import { hasDigest } from '../digest.ts';
import { restoreSnapshot } from '../restore-snapshot.ts';
import type { BuildData } from './run.ts';

/** @throws EtcdkeepError as restoreSnapshot does; nothing is left behind */
export const buildFromSnapshot: BuildData = async ({ plan, directory, progress, signal }) => {
  const { member, backup, bump } = plan;
  const { snapshot } = await restoreSnapshot({
    file: backup.snapshot,
    directories: [{ name: member.name, dataDirectory: directory }],
    peerUrls: new Map([[member.name, [...member.peerUrls].sort()]]),
    token: member.clusterToken,
    bump: BigInt(bump.by),
    clearAlarms: plan.clearAlarms,
    // A copy of a member's own database has none; all of it was hashed a moment ago.
    skipDigest: !hasDigest(backup.snapshotBytes),
    progress,
    signal,
  });
  return { keys: snapshot.status.liveKeys };
};
