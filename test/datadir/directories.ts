// Data directories of real members that were stopped, and how they are read.
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { checkDataDirectory } from '../../src/etcd/datadir/check-data-directory.ts';
import { type DataDirectory, readDataDirectory } from '../../src/etcd/datadir/data-directory.ts';
import { directoryForTest } from '../cli/scene.ts';
import { createMember } from '../compatibility/members.ts';
import type { EtcdMember } from '../servers/member.ts';
import type { EtcdVersion } from '../servers/versions.ts';

/** Stops a member as its kubelet does, so that it leaves nothing unwritten. */
export async function stopped(member: EtcdMember): Promise<string> {
  member.signal('SIGTERM');
  await member.ended();
  return member.dataDir;
}

/** A copy that a test may change. */
export function copied(directory: string): string {
  const copy = join(directoryForTest(), 'copy.etcd');
  cpSync(directory, copy, { recursive: true });
  return copy;
}

/** Changes a byte of a key where the log holds its write: one within a record, whatever the records before it hold. */
export function damageLog(dataDir: string, key: string): void {
  const wal = join(dataDir, 'member/wal');
  for (const path of readdirSync(wal).map((name) => join(wal, name))) {
    const bytes = readFileSync(path);
    const at = bytes.indexOf(key);
    if (at < 0) continue;
    bytes[at]! ^= 0xff;
    writeFileSync(path, bytes);
    return;
  }
  throw new Error(`the log of ${dataDir} has no ${key}`);
}

/** What is found in a directory, as lines. */
export async function findingsOf(path: string, version?: string): Promise<string[]> {
  return linesOf(await readDataDirectory(path), version);
}

export function linesOf(directory: DataDirectory, version?: string): string[] {
  const findings = [...checkDataDirectory(directory, version)];
  return findings.map(({ rule, severity, message }) => `${rule} ${severity}: ${message}`);
}

/** A directory that a version's own tool has restored for a member which has not started yet. */
export async function restored(
  tool: EtcdVersion,
  server: EtcdVersion,
  snapshot: string,
): Promise<EtcdMember> {
  const directory = directoryForTest();
  const member = await createMember({ version: server, name: 'restored', directory });
  const by = await createMember({ version: tool, name: 'tool', directory });
  const { code, stderr } = await by.etcdutl([
    ...['snapshot', 'restore', snapshot, `--name=${member.name}`, `--data-dir=${member.dataDir}`],
    `--initial-advertise-peer-urls=${member.peerUrl}`,
    `--initial-cluster=${member.name}=${member.peerUrl}`,
  ]);
  expect(code, stderr).toBe(0);
  return member;
}
