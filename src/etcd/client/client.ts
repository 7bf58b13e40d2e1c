// A client of one etcd member: the few requests that a backup makes.

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
    const { limit = 0, ...options } = range;
    return this.#call('read keys', KV.method.range, { key, ...options, limit: BigInt(limit) });
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
  ): Promise<MessageShape<O>> {
    const { commandTimeoutMs: timeoutMs, signal } = this.#options;
    return unaryCall(this.#connection, method, request, {
      what,
      token: this.#token,
      timeoutMs,
      signal,
    });
  }
}
