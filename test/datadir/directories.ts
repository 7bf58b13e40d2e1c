// Data directories of real members that were stopped, and how they are read.
import { cpSync } from 'node:fs';
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
