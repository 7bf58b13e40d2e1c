// Members that run on databases which we wrote and changed, with small pages and so with many levels: whatever
// they delete, bbolt has to merge our pages, and panics where one is not as it trusts it to be.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compactDatabase } from '../../src/bbolt/compact.ts';
import { DatabaseEdit } from '../../src/bbolt/edit.ts';
import { bytesSource } from '../../src/bbolt/testing.ts';
import {
  type Contents,
  keyOf,
  MemoryTarget,
  readContents,
  writeDatabase,
} from '../../src/bbolt/testing-database.ts';
import { readDatabaseStatus } from '../../src/etcd/store/database-status.ts';
import { runCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { bootRestored, contentsOf } from '../compatibility/members.ts';
import { Message } from '../fixtures/protobuf-writer.ts';
import { startEtcd } from '../servers/etcd.ts';
import { describeEachVersion } from '../servers/for-vitest.ts';
import { load } from '../servers/load.ts';
import type { EtcdMember } from '../servers/member.ts';
import type { EtcdVersion } from '../servers/versions.ts';

const KEYS = 3000;
const name = (index: number): string => `/key/${index.toString().padStart(5, '0')}`;

/** A snapshot of a real member, and what that held. */
async function realSnapshot(version: EtcdVersion, keys: number) {
  await using etcd = await startEtcd({ version });
  const writes = Array.from({ length: keys }, (_, index) => ({
    key: name(index),
    value: 'v'.repeat(index % 90),
  }));
  await load(etcd.gateway, writes, { operations: 1, concurrency: 8 });
  const file = join(directoryForTest(), 'snapshot.db');
  expect(await etcd.member.etcdctl(['snapshot', 'save', file])).toMatchObject({ code: 0 });
  return { bytes: await readFile(file), live: await contentsOf(etcd.member) };
}

/** A copy in pages of 1 KiB. */
async function small(bytes: Uint8Array): Promise<Buffer> {
  const target = new MemoryTarget();
  await compactDatabase(bytesSource(bytes), target, { pageSize: 1024 });
  return target.written;
}

async function fileOf(database: Uint8Array): Promise<string> {
  const path = join(directoryForTest(), 'written.db');
  const digest = createHash('sha256').update(database).digest();
  await writeFile(path, Buffer.concat([database, digest]));
  return path;
}

/** Removes key by key what the member has, in an order that leaves pages of every size, and writes on. */
async function wearOut(member: EtcdMember): Promise<void> {
  const { gateway } = member;
  for (const [from, to] of [
    [1000, 2500],
    [0, 400],
    [2600, 2999],
    [400, 1000],
    [2500, 2600],
  ] as const) {
    await deleteRange(member, from, to);
    await gateway.compact(await gateway.revision());
    await gateway.put('/written', `${from}`);
  }
  const writes = Array.from({ length: 500 }, (_, index) => ({ key: name(index), value: 'again' }));
  await load(gateway, writes);
  expect(await gateway.count()).toBe(BigInt(500 + 2));
  const saved = join(directoryForTest(), 'saved.db');
  expect(await member.etcdctl(['snapshot', 'save', saved])).toMatchObject({ code: 0 });
  const checked = await runCli(['snapshot', 'check', saved]);
  expect(checked.code).toBe(0);
  // But for the warning that etcdutl's restore leaves raft's old members there.
  expect(checked.stdout).toMatch(/^(member +warning: .*\n)?$/);
}

describeEachVersion('a member', (version) => {
  it('runs on a database that was written, and on one that was changed', async () => {
    const { bytes, live } = await realSnapshot(version, KEYS);
    const written = await small(bytes);
    {
      await using restored = await bootRestored(version, await fileOf(written));
      expect(await contentsOf(restored.member)).toEqual(live);
      await wearOut(restored.member);
    }
    const target = new MemoryTarget(written);
    const edit = await DatabaseEdit.open(bytesSource(written));
    const { revision } = await readDatabaseStatus(bytesSource(written));
    const next = Number(revision) + 1;
    const record = new Message().string(1, '/appended').integer(2, next).integer(3, next);
    const key = Buffer.alloc(17);
    key.writeBigUInt64BE(BigInt(next));
    key.write('_', 8);
    edit.bucket(keyOf('key')).put(key, record.integer(4, 1).string(5, 'by an edit').encode());
    edit.bucket(keyOf('members')).clear();
    edit.bucket(keyOf('members_removed')).put(keyOf('8e9e05c52164694d'), keyOf('removed'));
    edit.bucket(keyOf('meta')).put(keyOf('consistent_index'), Buffer.alloc(8, 0));
    await edit.commit(target);
    await using restored = await bootRestored(version, await fileOf(target.written));
    const { member } = restored;
    expect((await member.gateway.get('/appended'))?.value.toString()).toBe('by an edit');
    const { keys } = await contentsOf(member);
    expect(keys).toBe(live.keys + 1n);
    await member.gateway.delete('/appended');
    await wearOut(member);
  });

  it('deletes from the last page where that would have been the only child', async () => {
    const { bytes } = await realSnapshot(version, 0);
    const contents = await readContents(bytesSource(bytes));
    // Leaves of ten records, branch pages of 30 leaves: three that are full, and a leaf of four records.
    const records = 3 * 30 * 10 + 4;
    contents.set('key', recordsOf(records, 67));
    const { bytes: written } = await writeDatabase(contents, { pageSize: 1024, fillPercent: 1 });
    await using restored = await bootRestored(version, await fileOf(written));
    const { member } = restored;
    expect(await deleteRange(member, records - 4, records)).toBe('4');
    await member.gateway.compact(await member.gateway.revision());
    // The compaction goes on after it was answered.
    await member.etcdctl(['defrag']);
    expect(await member.gateway.count()).toBe(BigInt(records - 4));
  });
});

/** @returns how many keys it deleted */
async function deleteRange({ gateway }: EtcdMember, from: number, to: number): Promise<unknown> {
  const [key, range_end] = [from, to].map((index) => Buffer.from(name(index)).toString('base64'));
  return (await gateway.call('/v3/kv/deleterange', { key, range_end })).deleted;
}

/** Records that are so many bytes long each, as puts of one key a revision. */
function recordsOf(count: number, size: number): Contents {
  return new Map(
    Array.from({ length: count }, (_, index) => {
      const revision = index + 2;
      const key = Buffer.alloc(17);
      key.writeBigUInt64BE(BigInt(revision));
      key.write('_', 8);
      const record = new Message().string(1, name(index)).integer(2, revision);
      record.integer(3, revision).integer(4, 1);
      const value = Buffer.alloc(size - record.encode().length - 2, 'v');
      return [key.toString('latin1'), record.bytes(5, value).encode()];
    }),
  );
}
