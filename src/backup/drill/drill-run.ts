// The part of a drill that changes something, all of it in the scratch directory: restore, start, compare, write, grow.
// What was found out stays readable when a step does not come to its end.

import { randomBytes } from 'node:crypto';
import { EtcdkeepError } from '../../base/errors.ts';
import { openFileSource } from '../../bbolt/file-source.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import type { PlainSnapshot } from '../plain-snapshot.ts';
import { restoreSnapshot } from '../restore-snapshot.ts';
import type { SnapshotProof } from '../verify-snapshot.ts';
import { turnOffAuthentication } from './authentication.ts';
import { compareHash } from './compare-hash.ts';
import { type ComparedKeys, compareKeys } from './compare-keys.ts';
import { type ComparedMembers, compareMembers } from './compare-members.ts';
import { compareRestored, databaseIn } from './compare-restored.ts';
import type { EtcdProgram } from './etcd-programs.ts';
import { type Exercised, exercise, ownPrefix } from './exercise.ts';
import { readExpected } from './expected.ts';
import { grow } from './grow.ts';
import type { Scratch } from './scratch.ts';
import { type MemberPlace, memberPlace, ScratchMember } from './scratch-member.ts';
import { Shortfall } from './shortfall.ts';
import type { TimeLimit } from './time-limit.ts';

/** What is being done, as in "while ...". */
export type DrillStep =
  | 'restoring'
  | 'starting etcd'
  | 'comparing'
  | 'defragmenting'
  | 'adding a member'
  | 'writing and compacting';

export interface DrillRunRequest {
  readonly plain: PlainSnapshot;
  /** Of a snapshot that is sound. */
  readonly proof: SnapshotProof;
  readonly scratch: Scratch;
  /** Undefined where there is none: then nothing is started. */
  readonly etcd: EtcdProgram | undefined;
  readonly limit: TimeLimit;
  readonly begin: (step: DrillStep) => void;
  readonly progress: (bytes: number, totalBytes: number) => void;
}

export interface Restored {
  /** Of the database, in bytes. */
  readonly bytes: number;
  readonly leases: number;
  /** Of the old cluster; none of them is in the new one. */
  readonly membersDropped: number;
  /** What had to be changed in the scratch copy, each a sentence without a subject; nothing of it is in a key. */
  readonly changes: readonly string[];
}

/** Size of the database before and after. */
export interface Defragmented {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

export class DrillRun {
  readonly #request: DrillRunRequest;
  readonly #members: ScratchMember[] = [];
  #client: EtcdClient | undefined;
  restored: Restored | undefined;
  /** Revision, keys and HashKV of the restored database are those of the snapshot; looked at where there is no etcd. */
  isRestoredSame = false;
  /** HashKV, revision and all keys are as in the snapshot. */
  compared: ComparedKeys | undefined;
  defragmented: Defragmented | undefined;
  /** The second member had the same as the first when it had joined; */
  grown: ComparedMembers | undefined;
  exercised: Exercised | undefined;
  /** and it still had after all that was written. */
  followed: ComparedMembers | undefined;

  constructor(request: DrillRunRequest) {
    this.#request = request;
  }

  /**
   * Goes as far as it can; what it started is to be stopped afterwards.
   * @throws Shortfall if it cannot go to the end, or finds that something is wrong; EtcdkeepError `disk-full`,
   * `target-unwritable`, `file-failed`; the signal's reason
   */
  async run(): Promise<void> {
    const { etcd, scratch } = this.#request;
    const place = memberPlace(scratch, 1);
    try {
      await this.#restore(place);
      if (etcd === undefined) await this.#compareWithoutEtcd(place);
      else await this.#runMember(etcd, place);
    } catch (reason) {
      throw await this.#explain(reason);
    }
  }

  async stop(): Promise<void> {
    this.#client?.close();
    await Promise.all(this.#members.map((member) => member.stop()));
  }

  async #restore({ name, peerUrl, dataDirectory }: MemberPlace): Promise<void> {
    const { plain, proof, limit, begin, progress } = this.#request;
    begin('restoring');
    const restored = await restoreSnapshot({
      file: plain.path,
      directories: [{ name, dataDirectory }],
      peerUrls: new Map([[name, [peerUrl]]]),
      // A cluster of its own: no member of another one would talk to it.
      token: `etcdkeep-drill-${randomBytes(16).toString('hex')}`,
      clearAlarms: true,
      skipDigest: proof.digest.result === 'absent',
      progress,
      signal: limit.signal,
    });
    const hadAuthentication = await turnOffAuthentication(databaseIn(dataDirectory));
    this.restored = {
      bytes: restored.bytes,
      leases: restored.snapshot.contents.leases,
      membersDropped: restored.dropped.length,
      changes: [
        ...restored.alarms.map(({ type }) => `alarm ${type} cleared: it refuses writes`),
        ...(hadAuthentication ? ['authentication turned off: no password is known here'] : []),
      ],
    };
  }

  async #compareWithoutEtcd({ dataDirectory }: MemberPlace): Promise<void> {
    const { proof, limit, begin } = this.#request;
    begin('comparing');
    await compareRestored(dataDirectory, proof, limit.signal);
    this.isRestoredSame = true;
  }

  async #runMember(etcd: EtcdProgram, place: MemberPlace): Promise<void> {
    const { plain, proof, limit, begin, progress } = this.#request;
    const source = openFileSource(plain.path);
    try {
      const expected = await readExpected(source, proof, this.restored!.leases, limit.signal);
      begin('starting etcd');
      const client = await this.#start(etcd, place);
      begin('comparing');
      // Leases end after two seconds at the earliest: what is newest is asked for before that.
      await compareHash(client, expected);
      this.compared = await compareKeys(client, expected, progress);
      begin('defragmenting');
      this.defragmented = await defragment(client);
      await this.#grow(etcd, client, place, expected.revision);
    } finally {
      source.close();
    }
  }

  async #start(etcd: EtcdProgram, place: MemberPlace): Promise<EtcdClient> {
    const { signal, milliseconds } = this.#request.limit;
    const member = this.#member(etcd, place);
    member.start([]);
    this.#client = await member.connect(milliseconds, signal);
    return this.#client;
  }

  async #grow(
    etcd: EtcdProgram,
    client: EtcdClient,
    first: MemberPlace,
    revision: bigint,
  ): Promise<void> {
    const { scratch, limit, begin } = this.#request;
    const { signal } = limit;
    begin('adding a member');
    const place = memberPlace(scratch, 2);
    const second = this.#member(etcd, place);
    const prefix = ownPrefix();
    const key = Buffer.concat([prefix, Buffer.from('grown')]);
    this.grown = await grow({ client, first, place, second, key, signal });
    begin('writing and compacting');
    this.exercised = await exercise(client, prefix, revision);
    this.followed = await compareMembers(client, second, this.exercised.revision, signal);
  }

  #member(program: EtcdProgram, place: MemberPlace): ScratchMember {
    const { scratch, plain } = this.#request;
    const member = new ScratchMember({ program, scratch, place, databaseBytes: plain.bytes });
    this.#members.push(member);
    return member;
  }

  /** A request that failed, or a process that ended, as what it says of the backup. */
  async #explain(reason: unknown): Promise<unknown> {
    if (!(reason instanceof EtcdkeepError) || reason.position.endpoint === undefined) return reason;
    this.#request.limit.signal.throwIfAborted();
    for (const member of this.#members) {
      const ending = await member.ending();
      if (ending !== undefined) return ending;
    }
    const result = reason.code === 'request-failed' ? 'bad' : 'unproven';
    return new Shortfall(result, `etcd ${this.#request.etcd?.version}: ${reason.message}`);
  }
}

/** While it does, the member answers nobody. */
async function defragment(client: EtcdClient): Promise<Defragmented> {
  const before = await client.status();
  await client.defragment();
  const after = await client.status();
  return { bytesBefore: Number(before.dbSize), bytesAfter: Number(after.dbSize) };
}
