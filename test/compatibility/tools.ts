// etcd's own programs for snapshots that lie on the disk, of every version that the tests know.
import { expect } from 'vitest';

import { type CommandResult, runCommand } from '../servers/command.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { cleanEnvironment } from '../servers/processes.ts';
import { byVersion, type EtcdVersion } from '../servers/versions.ts';

export interface OfflineTool {
  readonly program: 'etcdctl' | 'etcdutl';
  readonly version: EtcdVersion;
}

/** Every program that can do it: etcdutl came with 3.5, and etcdctl lost it with 3.6. */
const OFFLINE_TOOLS: readonly OfflineTool[] = [
  { program: 'etcdctl', version: '3.4.23' },
  { program: 'etcdctl', version: '3.5.35' },
  { program: 'etcdutl', version: '3.5.35' },
  { program: 'etcdutl', version: '3.6.16' },
  { program: 'etcdutl', version: '3.7.3' },
];

/** `snapshot status -w json`. */
export interface ToolStatus {
  readonly hash: number;
  readonly revision: number;
  /** Until 3.5 the keys of all buckets, since 3.6 the live keys of users. */
  readonly totalKey: number;
  readonly totalSize: number;
  /** Since 3.6; empty where the database names none. */
  readonly version?: string;
}

/** The programs of one version. */
export function toolsOf(version: EtcdVersion): readonly OfflineTool[] {
  return OFFLINE_TOOLS.filter((tool) => tool.version === version);
}

/** Whether it counts live keys, and tells the storage version. */
export function countsLiveKeys({ version }: OfflineTool): boolean {
  return byVersion(version, '3.6.0') >= 0;
}

/** Describes something once for each program; one that cannot be had is reported as not run. */
export function describeEachTool(name: string, body: (tool: OfflineTool) => void): void {
  for (const tool of OFFLINE_TOOLS) {
    describeWithEtcd(tool.version, `${name} ${tool.program} ${tool.version}`, () => body(tool));
  }
}

/** What it prints for a snapshot or a database, to the byte. Expects it to succeed. */
export async function printedStatus(tool: OfflineTool, file: string): Promise<string> {
  const outcome = await run(tool, ['snapshot', 'status', file, '--write-out=json']);
  expect(outcome).toMatchObject({ code: 0 });
  return outcome.stdout;
}

export async function statusBy(tool: OfflineTool, file: string): Promise<ToolStatus> {
  return JSON.parse(await printedStatus(tool, file)) as ToolStatus;
}

/** Restores into a directory, with the digest compared. */
export function restoreBy(
  tool: OfflineTool,
  file: string,
  dataDir: string,
): Promise<CommandResult> {
  return run(tool, ['snapshot', 'restore', file, `--data-dir=${dataDir}`]);
}

async function run(
  { program, version }: OfflineTool,
  args: readonly string[],
): Promise<CommandResult> {
  const programs = await binariesOf(version);
  return runCommand(programs[program]!, args, { env: cleanEnvironment() });
}
