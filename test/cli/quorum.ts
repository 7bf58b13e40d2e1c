// Plans of a lost quorum, for the tests that look at them.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { EtcdCluster } from '../servers/etcd.ts';
import type { EtcdMember } from '../servers/member.ts';
import { type RunOptions, runCli } from './run.ts';

export interface Planned {
  readonly clusterId: string;
  readonly newest: string;
  readonly isComplete: boolean;
  readonly undecidedWrites: number;
  readonly majority: number;
  readonly votersSeen: readonly string[];
  readonly members: readonly {
    readonly name: string;
    readonly term?: string;
    readonly lastIndex: string;
    readonly committed: string;
    readonly applied?: string;
    readonly revision?: string;
    readonly writesBeyond: number;
    readonly committedWritesBeyond: number;
    readonly lost?: { readonly entries: string; readonly writes?: number };
    readonly heldBy?: readonly unknown[];
    readonly unfit: readonly string[];
  }[];
  readonly silent: readonly { readonly source: string; readonly code: string }[];
  readonly host?: { readonly name: string; readonly layout: string };
  readonly plan: {
    readonly layout: string;
    readonly notes: readonly string[];
    readonly steps: readonly {
      readonly on: string;
      readonly what: string;
      readonly commands: readonly string[];
    }[];
  };
}

export const directoryFlags = (members: readonly EtcdMember[]): string[] =>
  members.map(({ name, dataDir }) => `--data-dir=${name}=${dataDir}`);

export async function planned(args: readonly string[], options?: RunOptions): Promise<Planned> {
  const { code, stdout, stderr } = await runCli(
    ['quorum-restore', ...args, '--output=json'],
    options,
  );
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Planned;
}

export async function write(
  { members }: EtcdCluster,
  count: number,
  prefix: string,
): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const [{ gateway }] = members as [EtcdMember];
    // The leader may be the member that was killed just now.
    for (let attempt = 0; ; attempt += 1) {
      const done = await gateway.put(`/${prefix}-${index}`, 'value').then(
        () => true,
        () => false,
      );
      if (done) break;
      if (attempt === 20) throw new Error('nobody leads');
      await sleep(200);
    }
  }
}
