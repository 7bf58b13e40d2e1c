// What verify says of a backup, and snapshots to damage.
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { readMeta } from '../../src/bbolt/meta.ts';
import { bytesSource } from '../../src/bbolt/testing.ts';
import { walkTree } from '../../src/bbolt/walk.ts';
import { readDatabase } from '../fixtures/databases/databases.ts';
import { runCli } from './run.ts';

export const PAGE = 4096;

interface Document {
  readonly backups: readonly {
    readonly stamp: string;
    readonly result: string;
    readonly reasons: readonly string[];
    readonly recorded: boolean;
    readonly notRecorded?: string;
    readonly snapshot: {
      readonly revision: string;
      readonly keys: number;
      readonly hashKV?: number;
      readonly readableKeys: number;
      readonly lost: readonly { readonly from?: string; readonly to?: string }[];
    };
  }[];
}

export async function verifyJson(...args: string[]) {
  const outcome = await runCli(['verify', '--output', 'json', ...args]);
  return { ...outcome, document: JSON.parse(outcome.stdout) as Document };
}

/** Changes a snapshot in its place, or gives another. */
export type Change = (bytes: Buffer) => Buffer | undefined | Promise<undefined>;

/** The page of bucket `key` that has the most records. */
export async function leafPage(bytes: Buffer): Promise<number> {
  let found = 0;
  let most = 0;
  let isKeys = false;
  const source = bytesSource(bytes);
  await walkTree(source, await readMeta(source), {
    enterBucket: (name) => (isKeys = Buffer.from(name).toString() === 'key') || true,
    leaf: ({ count }, page, depth) => {
      if (depth !== 1 || !isKeys || count <= most) return;
      most = count;
      found = page;
    },
    scannedLeaf: () => undefined,
  });
  expect(most).toBeGreaterThan(3);
  return found;
}

export function withTrailer(database: Buffer): Buffer {
  return Buffer.concat([database, createHash('sha256').update(database).digest()]);
}

/** A golden database as the snapshot that it came from, whether it has kept its trailer or not. */
export function snapshotOf(name: string): Buffer {
  const bytes = readDatabase(name);
  return bytes.length % 512 === 32 ? bytes : withTrailer(bytes);
}
