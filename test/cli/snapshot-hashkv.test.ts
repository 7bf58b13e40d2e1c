// snapshot hashkv: the number that etcdutl gives, and that the member itself gives, of a file that stays as
// it is.
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DATABASES, readDatabase } from '../fixtures/databases/databases.ts';
import { runCommand } from '../servers/command.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeEachVersion, describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest } from './scene.ts';
import { untouched } from './untouched.ts';

interface HashKV {
  readonly hash: number;
  readonly hashRevision: number;
  readonly compactRevision: number;
}

async function ours(path: string, rev = 0): Promise<HashKV> {
  const line = ['snapshot', 'hashkv', path, '--rev', `${rev}`, '-w', 'json'];
  const { code, stdout, stderr } = await untouched(join(path, '..'), () => runCli(line));
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as HashKV;
}

// Buckets of their own, or none of etcd's: etcdutl makes a store of them.
const STORES = DATABASES.filter((name) => name !== 'nested');

describeWithEtcd('3.7.3', 'snapshot hashkv', () => {
  /** etcdutl rewrites the file: on a copy. */
  const theirs = async (path: string, ...flags: string[]) => {
    const copy = join(directoryForTest(), 'copy.db');
    await copyFile(path, copy);
    const { etcdutl } = await binariesOf('3.7.3');
    return (await runCommand(etcdutl!, ['hashkv', copy, ...flags])).stdout;
  };
  const fileOf = async (name: string): Promise<string> => {
    const path = join(directoryForTest(), `${name}.db`);
    await writeFile(path, readDatabase(name));
    return path;
  };

  it.each(STORES)(
    'of the database %s is that of etcdutl, at every kind of revision',
    async (name) => {
      const path = await fileOf(name);
      const { hashRevision, compactRevision } = await ours(path);
      const middle = Math.floor((Math.max(compactRevision, 1) + hashRevision) / 2);
      const revisions = new Set([0, Math.max(compactRevision, 1), middle, hashRevision]);
      for (const rev of revisions) {
        const flags = ['--rev', `${rev}`, '-w', 'json'];
        expect(await ours(path, rev)).toEqual(JSON.parse(await theirs(path, ...flags)));
      }
    },
  );

  it.each(['simple', 'table', 'fields'])('-w %s is what etcdutl prints', async (format) => {
    const path = await fileOf('tree');
    const { stdout } = await runCli(['snapshot', 'hashkv', path, '-w', format]);
    expect(stdout).toBe(await theirs(path, '-w', format));
  });

  it('of a revision that is not there says why', async () => {
    const path = await fileOf('tree');
    const at = (rev: number) => runCli(['snapshot', 'hashkv', path, '--rev', `${rev}`]);
    expect(expectFailure(await at(449), 'revision-compacted').message).toContain('up to 450');
    expect(expectFailure(await at(963), 'revision-future').message).toContain('the newest is 962');
    expectFailure(await runCli(['snapshot', 'hashkv', path, '--rev=-1']), 'usage', 2);
  });
});

describeEachVersion('snapshot hashkv and the member', (version) => {
  const etcd = etcdForSuite({ version });

  beforeAll(async () => {
    const { gateway } = etcd();
    for (let index = 0; index < 60; index += 1) {
      await gateway.put(`/key/${index % 17}`, Buffer.from(`value ${index}`));
    }
    await etcd().member.etcdctl(['del', '/key/3']);
    await etcd().member.etcdctl(['del', '/key/4']);
    await gateway.put('/key/4', Buffer.from('again'));
  });

  const live = async (rev: number): Promise<{ hash: number; compact_revision?: number }> => {
    const line = ['endpoint', 'hashkv', '--rev', `${rev}`, '-w', 'json'];
    const [answer] = JSON.parse((await etcd().member.etcdctl(line)).stdout) as [
      { HashKV: { hash: number; compact_revision?: number } },
    ];
    return answer.HashKV;
  };
  const saved = async (): Promise<string> => {
    const path = join(directoryForTest(), 'snapshot.db');
    const { code, stderr } = await etcd().member.etcdctl(['snapshot', 'save', path]);
    expect(code, stderr).toBe(0);
    return path;
  };
  const expectEqual = async (revisions: readonly number[]): Promise<void> => {
    const path = await saved();
    for (const rev of revisions) {
      const [mine, its] = [await ours(path, rev), await live(rev)];
      expect([rev, mine.hash]).toEqual([rev, its.hash]);
      expect(mine.compactRevision).toBe(its.compact_revision ?? 0);
    }
  };

  it('agree before a compaction', () => expectEqual([0, 2, 30, 61, 63]));

  it('agree after one, and after defragmentation', async () => {
    await etcd().member.etcdctl(['compact', '40', '--physical']);
    // At the compacted revision itself a member gives what it had before it.
    await expectEqual([0, 41, 50, 64]);
    await etcd().member.etcdctl(['defrag']);
    await expectEqual([0, 41, 64]);
  });

  it('agree where the newest record of a key is a deletion that was compacted', async () => {
    await etcd().member.etcdctl(['compact', '63', '--physical']);
    await expectEqual([0, 64]);
  });
});

describe('snapshot hashkv', () => {
  it('of an empty store is what etcd gives', async () => {
    // etcd, etcdutl/etcdutl/hashkv_command_test.go.
    const path = join(directoryForTest(), 'fresh.db');
    await writeFile(path, readDatabase('fresh'));
    expect(await ours(path)).toEqual({ hash: 1084519789, hashRevision: 1, compactRevision: -1 });
  });
});
