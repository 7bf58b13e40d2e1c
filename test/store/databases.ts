// Databases of real members, as files that the library reads.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type FileSource, openFileSource } from '../../src/bbolt/file-source.ts';
import { contentsFindings, lineOf } from '../../src/etcd/store/bucket-testing.ts';
import { directoryForTest } from '../cli/scene.ts';
import type { EtcdMember } from '../servers/member.ts';

/** What is behind the database in a snapshot. */
const DIGEST_BYTES = 32;

/** Saves a snapshot by the member's own etcdctl. @returns its path */
export async function saved(member: EtcdMember): Promise<string> {
  const path = join(directoryForTest(), 'snapshot.db');
  const { code, stderr } = await member.etcdctl(['snapshot', 'save', path]);
  expect(code, stderr).toBe(0);
  return path;
}

/** Opens a snapshot, or the database of a data directory, which is whole pages. */
export function opened(path: string): FileSource {
  const { size } = statSync(path);
  return openFileSource(path, size % 512 === DIGEST_BYTES ? size - DIGEST_BYTES : size);
}

/** All that is found in a snapshot or a database besides its records, as lines. */
export async function findingsOf(path: string): Promise<string[]> {
  const source = opened(path);
  try {
    return (await contentsFindings(source)).map(lineOf);
  } finally {
    source.close();
  }
}
