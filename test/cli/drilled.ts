// Drills as users make them, each in a scratch directory of its own that has to be empty again afterwards.

import { readdirSync, readlinkSync } from 'node:fs';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { bytesSource } from '../../src/bbolt/testing.ts';
import { readKeyIndex } from '../../src/etcd/store/key-index.ts';
import type { CommandResult } from '../servers/command.ts';
import { binariesOf } from '../servers/etcd.ts';
import type { EtcdVersion } from '../servers/versions.ts';
import { type CliRun, type RunOptions, runCli, startCli } from './run.ts';
import { directoryForTest } from './scene.ts';
import { withTrailer } from './verified.ts';

const GONE_MS = 20_000;

/** Fields of the document that the tests are about. */
export interface DrillDocument {
  readonly result: string;
  readonly reasons: readonly string[];
  readonly snapshot: { readonly revision: string; readonly keys: number; readonly hashKV: number };
  readonly etcd?: { readonly version: string; readonly path: string; readonly name: string };
  readonly restored?: { readonly leases: number; readonly changes: readonly string[] };
  readonly restoredIsSame?: boolean;
  readonly compared?: { readonly keys: number; readonly bytes: number };
  readonly defragmented?: { readonly bytesBefore: number; readonly bytesAfter: number };
  readonly grown?: { readonly hashKV: number; readonly revision: string };
  readonly written?: { readonly keys: number };
  readonly recorded: boolean;
}

export interface DrillOptions extends RunOptions {
  /** A place of its own if left out. */
  readonly scratch?: string;
}

/** Drills a backup to its end, and expects nothing to be left of it. */
export async function drill(
  args: readonly string[],
  { scratch = directoryForTest(), ...options }: DrillOptions = {},
): Promise<CommandResult> {
  const outcome = await runCli(['drill', ...args, '--scratch', scratch], options);
  expect(await leftIn(scratch)).toEqual([]);
  return outcome;
}

export async function drillJson(
  ...args: string[]
): Promise<CommandResult & { readonly document: DrillDocument }> {
  const outcome = await drill([...args, '--output=json']);
  return { ...outcome, document: JSON.parse(outcome.stdout) as DrillDocument };
}

/** Begins a drill, and waits for a file of its scratch directory. */
export async function drillUntil(
  args: readonly string[],
  scratch: string,
  file: RegExp,
): Promise<CliRun> {
  const run = startCli(['drill', ...args, '--scratch', scratch]);
  await run.waitUntil(async () =>
    (await readdir(scratch, { recursive: true })).some((name) => file.test(name)),
  );
  return run;
}

/** Names that are in a scratch directory, and processes that work below it. */
export async function leftIn(scratch: string): Promise<string[]> {
  return [...(await readdir(scratch)), ...processesIn(scratch)];
}

/** The same, once what is ended from outside has had its time. */
export async function expectGone(scratch: string): Promise<void> {
  const check = async (): Promise<void> => expect(await leftIn(scratch)).toEqual([]);
  await vi.waitFor(check, { timeout: GONE_MS, interval: 50 });
}

export function processesIn(directory: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(directory);
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}

/** The flag that names an etcd. */
export async function etcdFlag(version: EtcdVersion): Promise<string> {
  return `--etcd=${(await binariesOf(version)).etcd}`;
}

/** A copy of a snapshot in which one byte of a live key's value is another, with the digest of that. */
export async function withAnotherValue(snapshot: string): Promise<string> {
  const bytes = await readFile(snapshot);
  const index = await readKeyIndex(bytesSource(bytes));
  // All of them are one object.
  let place = -1;
  for (const { valueOffset, valueLength } of index.inRecordOrder()) {
    if (valueLength > 0) place = valueOffset;
  }
  expect(place).toBeGreaterThan(0);
  bytes[place]! ^= 1;
  const path = join(directoryForTest(), 'another.db');
  await writeFile(path, withTrailer(bytes.subarray(0, -32)));
  return path;
}

/**
 * An etcd with a fault, as a script around a real one: asked for its version it answers as that does, and before it
 * starts on DATA it does something else. $NUMBER is 1 for the first member, 2 for the second.
 */
export async function faultyEtcd(version: EtcdVersion, fault: string): Promise<string> {
  const { etcd } = await binariesOf(version);
  const path = join(directoryForTest(), 'etcd');
  const script = `#!/bin/sh
case "$1" in --version) exec ${etcd} --version ;; esac
for word; do
  case "$word" in
    --data-dir=*) DATA=\${word#--data-dir=} ;;
    --name=drill-*) NUMBER=\${word#--name=drill-} ;;
  esac
done
${fault}
exec ${etcd} "$@"
`;
  await writeFile(path, script);
  await chmod(path, 0o755);
  return path;
}
