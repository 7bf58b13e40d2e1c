import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { endsBare, endsWell, hangsUp, sends, sendsSnapshot, stalls } from '../faults/answers.ts';
import { type FaultServer, startFaultServer, startRawServer } from '../faults/fault-server.ts';
import { envelope, randomDatabase, snapshotMessages } from '../faults/snapshot-messages.ts';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, 'one-snapshot.ts');
/** A minute is the shortest of the script's own limits. */
const SOON_MS = 20_000;

const database = randomDatabase(1_000_000);
const half = snapshotMessages(database).slice(0, 10);
/** A StatusResponse without a field. */
const statusOf = sends([envelope(Buffer.alloc(0))], endsWell);
const snapshots = (answer: Parameters<typeof sends>[1]) =>
  startFaultServer({ Status: statusOf, Snapshot: answer });

interface Case {
  readonly start: () => Promise<FaultServer>;
  readonly rateLimit?: number;
  readonly abortAfterMs?: number;
  readonly outcome: string;
}

it.each<[string, Case]>([
  ['a whole snapshot', { start: () => snapshots(sendsSnapshot(database)), outcome: 'whole' }],
  ['a cut stream', { start: () => snapshots(sends(half, endsBare)), outcome: 'stream-cut' }],
  ['a cut connection', { start: () => snapshots(sends(half, hangsUp)), outcome: 'stream-cut' }],
  [
    'a refused answer',
    {
      start: () => startRawServer((socket) => void socket.end('HTTP/1.1 400 \r\n\r\n')),
      outcome: 'response-invalid',
    },
  ],
  [
    'an abort while it is dialled',
    { start: () => startRawServer(() => undefined), abortAfterMs: 200, outcome: 'aborted' },
  ],
  [
    'an abort of a stream that stalls',
    { start: () => snapshots(sends(half, stalls)), abortAfterMs: 200, outcome: 'aborted' },
  ],
  [
    'an abort while the rate limit waits',
    {
      start: () => snapshots(sendsSnapshot(database)),
      rateLimit: 100,
      abortAfterMs: 200,
      outcome: 'aborted',
    },
  ],
])('a process ends by itself after %s', async (_, { start, rateLimit, abortAfterMs, outcome }) => {
  await using server = await start();
  const limits = [rateLimit?.toString() ?? '', abortAfterMs?.toString() ?? ''];
  const { stdout } = await run(process.execPath, [SCRIPT, server.endpoint, ...limits], {
    timeout: SOON_MS,
  });
  expect(stdout.trim()).toBe(outcome);
});
