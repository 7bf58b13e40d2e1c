// Snapshots of every version, restored by etcdkeep, under every version of etcd.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCli } from '../cli/run.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { ROOT_USER } from '../servers/etcd.ts';
import { describeEachVersion } from '../servers/for-vitest.ts';
import { byVersion, type EtcdVersion } from '../servers/versions.ts';
import { bootRestored, createMember, restoreFlags } from './members.ts';
import {
  expectJoinable,
  expectKept,
  expectWorking,
  type SavedCluster,
  saveCluster,
} from './restored.ts';

/** `3.6` of `3.6.16`. */
const minorOf = (version: EtcdVersion): string => version.replace(/\.\d+$/, '');

describeEachVersion('a snapshot', (from) => {
  let directory: string;
  let saved: SavedCluster;
  beforeAll(async () => {
    directory = temporaryDirectory();
    saved = await saveCluster(from, directory);
  });
  afterAll(() => removeTemporaryDirectory(directory));

  describeEachVersion('restored by etcdkeep for', (to) => {
    const flags = byVersion(from, to) > 0 ? [`--target-version=${minorOf(to)}`] : [];

    it('keeps everything, works on, and gives all of it to a member that joins', async () => {
      await using restored = await bootRestored(to, saved.file, {
        by: 'etcdkeep',
        flags,
        root: ROOT_USER,
      });
      const { member } = restored;
      await expectKept(member, saved);
      await expectWorking(member);
      await expectJoinable(to, [member]);
    });
  });
});

describeEachVersion(
  'a snapshot that is not adapted to an older etcd',
  (from) => {
    describeEachVersion(
      'which is',
      (to) => {
        it('is said to be for its own version and later, and that etcd does not start', async () => {
          const directory = temporaryDirectory();
          const member = await createMember({ version: to, name: 'older', directory });
          try {
            const { file } = await saveCluster(from, directory);
            const args = ['snapshot', 'restore', file, ...restoreFlags(member, [member])];
            const restored = await runCli(args);
            expect(restored.code).toBe(0);
            expect(restored.stderr).toMatch(/^versions +.*: for etcd 3\.7 and later/m);
            member.start([member], 'new');
            await expect(member.waitUntilHealthy()).rejects.toThrow(/ended/);
            expect(member.logTail).toMatch(/3\.7\.0.* is not supported/);
          } finally {
            await member.kill();
            removeTemporaryDirectory(directory);
          }
        });
      },
      ['3.6.16'],
    );
  },
  ['3.7.3'],
);

describeEachVersion(
  'a snapshot that is adapted to an etcd which does not know storage versions',
  (from) => {
    describeEachVersion(
      'goes on to the next:',
      (next) => {
        it('nothing is left in it that would keep that from starting', async () => {
          const directory = temporaryDirectory();
          const before = await createMember({ version: '3.5.35', name: 'upgraded', directory });
          const { file } = await saveCluster(from, directory);
          const flags = [...restoreFlags(before, [before]), '--target-version=3.5'];
          expect((await runCli(['snapshot', 'restore', file, ...flags])).code).toBe(0);
          before.start([before], 'new');
          await before.waitUntilHealthy();
          await before.kill();
          const after = await createMember({ version: next, name: 'upgraded', directory });
          try {
            after.start([after], 'existing');
            await after.waitUntilHealthy();
          } finally {
            await after.kill();
            removeTemporaryDirectory(directory);
          }
        });
      },
      ['3.6.16'],
    );
  },
  ['3.7.3'],
);
