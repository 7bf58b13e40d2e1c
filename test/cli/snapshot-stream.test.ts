// What can be wrong with what a member sends: it stalls, is empty, short, false. No real member does
// it on demand, so these come from the mock in test/faults.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/base/error-codes.ts';
import { answersHeaders, endsWell, sends, sendsSnapshot, stalls } from '../faults/answers.ts';
import { type Answer, type FaultServer, startFaultServer } from '../faults/fault-server.ts';
import { envelope, randomDatabase, snapshotMessages } from '../faults/snapshot-messages.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { COMMANDS } from './commands.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { hostForSuite, usedDirectory } from './scene.ts';
import { untouched } from './untouched.ts';

const VERSION = '3.6.16';

const database = randomDatabase(1_000_000);
const whole = snapshotMessages(database, '3.6.0');
const half = whole.slice(0, 10);
const { remaining } = half.at(-1)!;
const digest = whole.at(-1)!;

/** StatusResponse with its header's cluster and member id, and a version. */
const status = new BinaryWriter()
  .tag(1, WireType.LengthDelimited)
  .fork()
  .tag(1, WireType.Varint)
  .uint64(11)
  .tag(2, WireType.Varint)
  .uint64(12)
  .join()
  .tag(2, WireType.LengthDelimited)
  .string('3.6.16')
  .finish();

/** A member that is well until it is asked for a snapshot. */
const startMember = (answers: Readonly<Record<string, Answer>>): Promise<FaultServer> =>
  startFaultServer({
    Status: sends([envelope(status)], endsWell),
    MemberList: sends([envelope(new Uint8Array())], endsWell),
    ...answers,
  });

describeWithEtcd(VERSION, 'a snapshot that does not arrive as it should', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const host = hostForSuite(etcd);

  const FAULTS: readonly (readonly [
    situation: string,
    answers: Readonly<Record<string, Answer>>,
    code: ErrorCode,
    flag?: string,
  ])[] = [
    ['stalls', { Snapshot: sends(half, stalls) }, 'stream-stalled'],
    [
      'repeats empty chunks',
      { Snapshot: sends([...half, ...Array<object>(1000).fill({ remaining })], endsWell) },
      'stream-empty-chunk',
    ],
    ['ends early', { Snapshot: sends(half, endsWell) }, 'stream-cut'],
    [
      'has a wrong digest',
      { Snapshot: sends([...whole.slice(0, -1), { ...digest, blob: Buffer.alloc(32) }], endsWell) },
      'digest-mismatch',
    ],
    ['has no digest', { Snapshot: sends(whole.slice(0, -1), endsWell) }, 'digest-missing'],
    [
      'contradicts itself',
      { Snapshot: sends(whole.toSpliced(3, 1), endsWell) },
      'stream-inconsistent',
    ],
    ['is no database', { Snapshot: sendsSnapshot(database) }, 'database-damaged'],
    ['is refused', { Snapshot: answersHeaders({ 'grpc-status': '14' }) }, 'member-unavailable'],
    ['is not known', { Snapshot: answersHeaders({ 'grpc-status': '12' }) }, 'request-failed'],
    ['is preceded by silence', { Status: stalls }, 'request-timed-out', '--command-timeout=500ms'],
    [
      'is preceded by nonsense',
      { Status: sends([envelope(Buffer.from('?'))], endsWell) },
      'response-invalid',
    ],
  ];

  describe.each(COMMANDS)('$command', ({ line }) => {
    it.for(FAULTS)('it %s', async ([, answers, code, flag = '--idle-timeout=300ms']) => {
      await using server = await startMember(answers);
      const directory = await usedDirectory();
      const flags = [`--endpoints=${server.endpoint}`, flag];
      const outcome = await untouched(directory, () => runCli(line(directory, host(), flags)));
      expect(expectFailure(outcome, code).rows.get('endpoint') ?? server.endpoint).toBe(
        server.endpoint,
      );
    });
  });
});
