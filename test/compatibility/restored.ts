// A cluster with everything in it that a restore has to keep, and what it must still be able to do afterwards.
import { join } from 'node:path';
import { expect } from 'vitest';
import { runCli } from '../cli/run.ts';
import { flagsFor } from '../cli/scene.ts';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { ROOT_USER, startEtcd } from '../servers/etcd.ts';
import type { KeyValue } from '../servers/gateway.ts';
import { load } from '../servers/load.ts';
import type { EtcdMember } from '../servers/member.ts';
import type { EtcdVersion } from '../servers/versions.ts';
import { addMember, type Contents, contentsOf } from './members.ts';

const WRITES = 1000;
const LEASE_SECONDS = 3600;

export interface SavedCluster {
  readonly file: string;
  readonly live: Contents;
  readonly keys: readonly KeyValue[];
  readonly lease: bigint;
}

/** A snapshot of a real cluster: objects, some deleted, some compacted, a lease, users. */
export async function saveCluster(version: EtcdVersion, directory: string): Promise<SavedCluster> {
  await using etcd = await startEtcd({ version, auth: true });
  const { member, gateway } = etcd;
  await loadKubernetes(gateway, { objects: 300, operations: 16 });
  const lease = await gateway.grantLease(LEASE_SECONDS);
  await gateway.put('/leased', 'while it lives', lease);
  await gateway.put('/deleted', 'soon');
  await gateway.delete('/deleted');
  const file = join(directory, `of-${version}.db`);
  const user = [`--user=${ROOT_USER.name}`, `--password=${ROOT_USER.password}`];
  const saved = await runCli(['snapshot', 'save', file, ...flagsFor(member), ...user]);
  expect(saved.code, saved.stderr).toBe(0);
  return { file, live: await contentsOf(member), keys: await gateway.list(''), lease };
}

/** Expects a restored member to hold what was saved, keys, lease and users. */
export async function expectKept(member: EtcdMember, saved: SavedCluster): Promise<void> {
  const written = await member.etcdctl(['put', '/nobody', 'may write'], { user: 'none' });
  expect(written.stderr).toMatch(/user name is empty/);
  expect(await contentsOf(member)).toEqual(saved.live);
  expect(await member.gateway.list('')).toEqual(saved.keys);
  expect(await timeToLive(member, saved.lease)).toBeGreaterThan(LEASE_SECONDS / 2);
}

/** Seconds that a lease still has; -1 if there is none. */
async function timeToLive({ gateway }: EtcdMember, id: bigint): Promise<number> {
  const { TTL } = await gateway.call('/v3/lease/timetolive', { ID: `${id}` });
  return Number(TTL);
}

/** Expects a restored member to work on: writes, a compaction, a defragmentation, a start. */
export async function expectWorking(member: EtcdMember): Promise<void> {
  const { gateway } = member;
  const before = await gateway.revision();
  const writes = Array.from({ length: WRITES }, (_, index) => ({
    key: `/written/${index % 100}`,
    value: `${index}`,
  }));
  await load(gateway, writes, { operations: 1, concurrency: 8 });
  expect(await gateway.revision()).toBe(before + BigInt(WRITES));
  await gateway.compact((await gateway.revision()) - 5n);
  expect(await member.etcdctl(['defrag'])).toMatchObject({ code: 0 });
  const held = await contentsOf(member);
  await member.restart();
  expect(await contentsOf(member)).toEqual(held);
  expect((await gateway.list('/written/')).map(({ value }) => Number(value.toString()))).toEqual(
    writes
      .slice(-100)
      .map(({ value }) => Number(value))
      .sort(byKeyOrder),
  );
}

/** Keys are in the order of their bytes: 0, 1, 10, 11, ... */
function byKeyOrder(left: number, right: number): number {
  return `${left % 100}` < `${right % 100}` ? -1 : 1;
}

/** Expects a member that joins to get everything. Booting alone proves nothing: a directory can lack what it is sent. */
export async function expectJoinable(
  version: EtcdVersion,
  cluster: readonly EtcdMember[],
): Promise<void> {
  const [first] = cluster;
  const keys = await first!.gateway.list('');
  await using added = await addMember(version, cluster);
  const { member } = added;
  if (first!.isLoggedIn) await member.logIn(ROOT_USER);
  await first!.gateway.put('/joined', 'both');
  await member.waitUntil('level', async () => {
    return (await member.gateway.revision()) === (await first!.gateway.revision());
  });
  expect(await contentsOf(member)).toEqual(await contentsOf(first!));
  expect((await member.gateway.list('')).length).toBe(keys.length + 1);
}
