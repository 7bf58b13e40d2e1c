// A client of one etcd member: the few requests that a backup makes, and those by which a drill tries a member.

import type {
  DescMessage,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import { messageOf } from '../../base/errors.ts';
import { type Connection, type DialOptions, dial } from './connection.ts';
import {
  type AlarmMember,
  Auth,
  Cluster,
  type HashKVResponse,
  KV,
  Maintenance,
  type Member,
  type RangeResponse,
  type ResponseHeader,
  type StatusResponse,
} from './gen/rpc_pb.js';
import type { SnapshotSink, StreamedSnapshot } from './snapshot-assembly.ts';
import { type SnapshotOptions, streamSnapshot } from './snapshot-stream.ts';
import { unaryCall } from './unary-call.ts';

export interface ClientOptions extends DialOptions {
  /** User and password, when authentication is on. */
  readonly login: { readonly user: string; readonly password: string } | undefined;
  /** The longest time for one request, in milliseconds. Snapshots have limits of their own. */
  readonly commandTimeoutMs: number;
}

export interface RangeOptions {
  /** The end of the range, exclusive; one key if left out. */
  readonly rangeEnd?: Uint8Array;
  /** The revision to read at; the newest if left out. */
  readonly revision?: bigint;
  readonly limit?: number;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  /** To take this member's own view, which needs no quorum. */
  readonly serializable?: boolean;
  /** More than this is not taken, if not 16 MiB; in bytes. */
  readonly answerBytesMax?: number;
}

/** Requests to one member. Every method throws EtcdkeepError. */
export class EtcdClient {
  readonly #connection: Connection;
  readonly #options: ClientOptions;
  #token: string | undefined;

  private constructor(connection: Connection, options: ClientOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Dials the member, and logs in if a user is named. */
  static async connect(options: ClientOptions): Promise<EtcdClient> {
    const client = new EtcdClient(await dial(options), options);
    try {
      if (options.login !== undefined) await client.#logIn(options.login);
      return client;
    } catch (reason) {
      client.close();
      throw reason;
    }
  }

  get endpoint(): string {
    return this.#connection.endpoint.url;
  }

  /** What the member says of itself (Maintenance.Status). */
  status(): Promise<StatusResponse> {
    return this.#call("ask for the member's status", Maintenance.method.status, {});
  }

  /**
   * The members of the cluster (Cluster.MemberList).
   * @param linearizable false to take this member's own view, which needs no quorum (3.5+;
   *   an older member ignores it and always answers from its own view)
   */
  async memberList(linearizable = true): Promise<Member[]> {
    const request = { linearizable };
    const answer = await this.#call('list the members', Cluster.method.memberList, request);
    return answer.members;
  }

  /** Alarms of all members (Maintenance.Alarm, action GET). */
  async alarmList(): Promise<AlarmMember[]> {
    return (await this.#call('list the alarms', Maintenance.method.alarm, {})).alarms;
  }

  /** CRC-32C of the key-value history up to a revision; 0n for the newest (Maintenance.HashKV). */
  hashKV(revision = 0n): Promise<HashKVResponse> {
    return this.#call('hash the key-value store', Maintenance.method.hashKV, { revision });
  }

  /** Reads a key or a range of keys (KV.Range). */
  range(key: Uint8Array, range: RangeOptions = {}): Promise<RangeResponse> {
    const { limit = 0, answerBytesMax, ...options } = range;
    const request = { key, ...options, limit: BigInt(limit) };
    return this.#call('read keys', KV.method.range, request, answerBytesMax);
  }

  /** Sets a key (KV.Put). @returns the store's revision after it */
  async put(key: Uint8Array, value: Uint8Array): Promise<bigint> {
    return revisionOf(await this.#call('write a key', KV.method.put, { key, value }));
  }

  /** Compacts the history up to a revision, and waits until that is in the database (KV.Compact). */
  async compact(revision: bigint): Promise<void> {
    const request = { revision, physical: true };
    await this.#call('compact the history', KV.method.compact, request);
  }

  /** Rewrites the database without what is free in it; until then the member answers nobody (Maintenance.Defragment). */
  async defragment(): Promise<void> {
    await this.#call('defragment the database', Maintenance.method.defragment, {});
  }

  /** Adds a member that does not vote yet (Cluster.MemberAdd). @returns its id */
  async addLearner(peerUrl: string): Promise<bigint> {
    const request = { peerURLs: [peerUrl], isLearner: true };
    const { member } = await this.#call('add a member', Cluster.method.memberAdd, request);
    return member?.ID ?? 0n;
  }

  /** Lets a learner vote; refused until it has nearly all that the leader has (Cluster.MemberPromote). */
  async promote(id: bigint): Promise<void> {
    await this.#call('promote the learner', Cluster.method.memberPromote, { ID: id });
  }

  /** Streams the member's whole database into a sink (Maintenance.Snapshot). */
  snapshot(sink: SnapshotSink, options: Omit<SnapshotOptions, 'token'>): Promise<StreamedSnapshot> {
    return streamSnapshot(this.#connection, sink, { ...options, token: this.#token });
  }

  close(): void {
    this.#connection.close();
  }

  async #logIn({ user, password }: { user: string; password: string }): Promise<void> {
    try {
      const request = { name: user, password };
      const response = await this.#call('log in', Auth.method.authenticate, request);
      this.#token = response.token;
    } catch (reason) {
      // With authentication off everyone may do everything; a user named all the same does no harm.
      if (!/authentication is not enabled/.test(messageOf(reason))) throw reason;
    }
  }

  #call<I extends DescMessage, O extends DescMessage>(
    what: string,
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    answerBytesMax?: number,
  ): Promise<MessageShape<O>> {
    const { commandTimeoutMs: timeoutMs, signal } = this.#options;
    return unaryCall(this.#connection, method, request, {
      what,
      token: this.#token,
      timeoutMs,
      signal,
      answerBytesMax,
    });
  }
}

function revisionOf({ header }: { readonly header?: ResponseHeader | undefined }): bigint {
  return header?.revision ?? 0n;
}
