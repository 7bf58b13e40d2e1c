// The snapshots of every server version, by etcdctl and etcdutl of every version: they accept them,
// and what they say of them is what etcdkeep says.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { describeEachVersion } from '../servers/for-vitest.ts';
import { bootRestored, contentsOf } from './members.ts';
import {
  BUMPED,
  DIGEST_BYTES,
  type Sample,
  samplesForSuite,
  samplesOf,
  UNFINISHED,
} from './samples.ts';
import {
  countsLiveKeys,
  describeEachTool,
  type OfflineTool,
  restoreBy,
  statusBy,
  type ToolStatus,
} from './tools.ts';

describeEachVersion('a snapshot', (version) => {
  const samples = samplesOf(version);
  const sample = samplesForSuite(version);

  describe('as etcdkeep printed it', () => {
    it.for(samples)('%s: is what it reads from the file', async (name) => {
      const { file, printed, read } = sample(name);
      expect(printed).toMatchObject({
        bytes: (await stat(file)).size,
        hash: read.hash,
        revision: `${read.revision}`,
        keys: read.liveKeys,
        totalSize: printed.bytes - DIGEST_BYTES,
      });
      expect(printed.storageVersion).toBe(read.storageVersion);
    });

    it.for(samples)('%s: is what the member held', (name) => {
      const { printed, read, live } = sample(name);
      // The marker of a bump is a record with an empty key, which no range can reach.
      expect(printed.keys).toBe(Number(live.keys) + (name === BUMPED ? 1 : 0));
      expect(Number(read.currentRevision)).toBe(live.revision);
      expect(Number(read.scheduledCompactRevision ?? -1)).toBe(live.compactRevision);
      const isFinished = read.finishedCompactRevision === read.scheduledCompactRevision;
      expect(isFinished).toBe(name !== UNFINISHED);
    });
  });

  describeEachTool('status by', (tool) => {
    it.for(samples)('%s', async (name) => {
      const { file, printed } = sample(name);
      const status = await statusBy(tool, file);
      expect(status).toEqual(expectedStatus(sample(name), tool));
      if (tool.version === version) expect(printed.totalKey).toBe(status.totalKey);
    });
  });

  describeEachTool('restore by', (tool) => {
    it.for(samples)('%s', async (name) => {
      const { file, printed } = sample(name);
      const directory = temporaryDirectory();
      onTestFinished(() => removeTemporaryDirectory(directory));
      const dataDir = join(directory, 'restored');
      expect(await restoreBy(tool, file, dataDir)).toMatchObject({ code: 0 });
      const restored = await statusBy(tool, join(dataDir, 'member/snap/db'));
      expect(`${restored.revision}`).toBe(printed.revision);
      if (countsLiveKeys(tool)) expect(restored.totalKey).toBe(printed.keys);
    });
  });

  describe('restored and booted by its own version', () => {
    it.for(samples)('%s: holds what the member held', async (name) => {
      const { file, live } = sample(name);
      await using restored = await bootRestored(version, file);
      expect(await contentsOf(restored.member)).toEqual(live);
    });
  });
});

/** What a tool must say of a sample, by what etcdkeep said of it. */
function expectedStatus({ printed, read }: Sample, tool: OfflineTool): ToolStatus {
  const { hash, revision, keys, totalSize, storageVersion = '' } = printed;
  const status = { hash, revision: Number(revision), totalSize };
  return countsLiveKeys(tool)
    ? { ...status, totalKey: keys, version: storageVersion }
    : { ...status, totalKey: read.entries };
}
