// A real member that goes in mid-stream, on a plain port and on a TLS port: they end differently.
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { startCli } from './run.ts';
import { fill, flagsFor, isReceiving, LARGE_BYTES, usedDirectory } from './scene.ts';
import { untouched } from './untouched.ts';

const VERSION = '3.6.16';

describe.each(['off', 'mutual'] as const)('with TLS %s', (tls) => {
  describeWithEtcd(VERSION, 'a member that goes in mid-stream', () => {
    const etcd = etcdForSuite({ version: VERSION, tls });
    beforeAll(() => fill(etcd(), LARGE_BYTES));

    it.each([
      ['is killed', 'SIGKILL', 'stream-cut'],
      // It serves on for six seconds, and then cuts what still runs.
      ['is told to end', 'SIGTERM', 'stream-cut'],
      ['is stopped', 'SIGSTOP', 'stream-stalled'],
    ] as const)('it %s (%s)', async (_, signal, code) => {
      const directory = await usedDirectory();
      const file = join(directory, 'new.db');
      const { member } = etcd();
      const outcome = await untouched(directory, async () => {
        const limits = ['--rate-limit=1MB', '--idle-timeout=700ms'];
        const run = startCli(['snapshot', 'save', file, ...flagsFor(member), ...limits]);
        await run.waitUntil(() => isReceiving(directory));
        member.signal(signal);
        return run.outcome;
      });
      // It says how far it had come.
      expect(expectFailure(outcome, code).message).toMatch(/\d [kM]B of \d+\.\d MB/);
      if (signal === 'SIGSTOP') member.signal('SIGCONT');
      else await member.restart();
    });
  });
});
