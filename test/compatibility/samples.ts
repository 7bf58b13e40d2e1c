// The databases of the matrix: each made by a real member, and saved by etcdkeep as its users do.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { openFileSource } from '../../src/bbolt/file-source.ts';
import { type DatabaseStatus, readDatabaseStatus } from '../../src/etcd/store/database-status.ts';
import { runCli } from '../cli/run.ts';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { startEtcd } from '../servers/etcd.ts';
import type { Gateway } from '../servers/gateway.ts';
import { load } from '../servers/load.ts';
import type { EtcdMember } from '../servers/member.ts';
import { byVersion, type EtcdVersion } from '../servers/versions.ts';
import { bootRestored, type Contents, contentsOf } from './members.ts';

/** The SHA-256 behind the database. */
export const DIGEST_BYTES = 32;

/** The fields of `snapshot save --output json` that the matrix is about. */
export interface Printed {
  readonly bytes: number;
  readonly storageVersion?: string;
  readonly hash: number;
  readonly revision: string;
  readonly keys: number;
  readonly totalKey: number;
  readonly totalSize: number;
}

export interface Sample {
  readonly file: string;
  /** What etcdkeep printed when it saved the file. */
  readonly printed: Printed;
  /** What etcdkeep reads from the file, which is more than it prints. */
  readonly read: DatabaseStatus;
  /** What the member held when it was saved. */
  readonly live: Contents;
}

const RICH = "a cluster's data";
export const UNFINISHED = 'an unfinished compaction';
export const BUMPED = 'a restore with its revision bumped';

/** What happens to one member, step by step, with a snapshot after each of them. */
const LIFE: Readonly<Record<string, (gateway: Gateway) => Promise<unknown>>> = {
  'a fresh member': () => Promise.resolve(),
  'one key': (gateway) => gateway.put('/one', 'key'),
  'a tombstone last': (gateway) => gateway.delete('/one'),
  'all of it compacted': async (gateway) => gateway.compact(await gateway.revision()),
  'a value of 1 MiB': (gateway) => gateway.put('/large', randomBytes(1 << 20)),
  [RICH]: async (gateway) => {
    await loadKubernetes(gateway, { objects: 1200, operations: 16 });
    await addUser(gateway);
  },
};

/** The samples of a server version; `snapshot restore` bumps revisions since 3.5. */
export function samplesOf(version: EtcdVersion): readonly string[] {
  return [...Object.keys(LIFE), UNFINISHED, ...(isBefore(version, '3.5') ? [] : [BUMPED])];
}

/** Saves all samples before the tests of a describe block. @returns gives one by its name */
export function samplesForSuite(version: EtcdVersion): (name: string) => Sample {
  const samples = new Map<string, Sample>();
  let directory: string | undefined;
  beforeAll(async () => {
    directory = temporaryDirectory();
    for await (const [name, member] of membersWithSamples(version, samples)) {
      const file = join(directory, `${name.replaceAll(/\W/g, '-')}.db`);
      samples.set(name, await saveSample(file, member));
    }
  });
  afterAll(() => {
    if (directory !== undefined) removeTemporaryDirectory(directory);
  });
  return (name) => samples.get(name)!;
}

/** The members to save, each at the moment at which it holds what the sample is to hold. */
async function* membersWithSamples(
  version: EtcdVersion,
  saved: ReadonlyMap<string, Sample>,
): AsyncGenerator<readonly [string, EtcdMember]> {
  {
    await using etcd = await startEtcd({ version });
    for (const [name, live] of Object.entries(LIFE)) {
      await live(etcd.gateway);
      yield [name, etcd.member];
    }
  }
  {
    await using etcd = await startEtcd({ version, flags: [slowCompaction(version)] });
    await beginCompaction(etcd.gateway);
    yield [UNFINISHED, etcd.member];
  }
  if (!samplesOf(version).includes(BUMPED)) return;
  const bump = ['--bump-revision=1000000000', '--mark-compacted'];
  await using restored = await bootRestored(version, saved.get(RICH)!.file, { flags: bump });
  await restored.member.gateway.put('/after', 'the bump');
  yield [BUMPED, restored.member];
}

async function saveSample(file: string, member: EtcdMember): Promise<Sample> {
  const flags = [`--endpoints=${member.endpoint}`, '--output=json'];
  const { code, stdout, stderr } = await runCli(['snapshot', 'save', file, ...flags]);
  expect(code, stderr).toBe(0);
  const printed = JSON.parse(stdout) as Printed;
  const source = openFileSource(file, printed.bytes - DIGEST_BYTES);
  try {
    return {
      file,
      printed,
      read: await readDatabaseStatus(source),
      live: await contentsOf(member),
    };
  } finally {
    source.close();
  }
}

/** Fills the buckets of the users and roles, without turning authentication on. */
async function addUser(gateway: Gateway): Promise<void> {
  await gateway.call('/v3/auth/user/add', { name: 'root', password: 'secret' });
  await gateway.call('/v3/auth/user/grant', { user: 'root', role: 'root' });
  await gateway.call('/v3/auth/role/add', { name: 'reader' });
}

/** One record at a time: etcd rests for 10 ms or more between two batches. */
function slowCompaction(version: EtcdVersion): string {
  return `--${isBefore(version, '3.6') ? 'experimental-' : ''}compaction-batch-limit=1`;
}

/** Begins a compaction of a thousand records, and does not wait for it. */
async function beginCompaction(gateway: Gateway): Promise<void> {
  const keys = Array.from({ length: 100 }, (_, index) => `/keys/${index}`);
  for (let round = 0; round < 10; round += 1) {
    const writes = keys.map((key) => ({ key, value: `${round}` }));
    await load(gateway, writes);
  }
  const revision = await gateway.delete(keys[7]!);
  await gateway.call('/v3/kv/compaction', { revision: `${revision - 1n}` });
}

function isBefore(version: EtcdVersion, minor: string): boolean {
  return byVersion(version, `${minor}.0`) < 0;
}
