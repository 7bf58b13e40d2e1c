// A client of one etcd member: the few requests that a backup makes.

import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { type EtcdkeepError, messageOf } from '../../base/errors.ts';
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
import { unaryError } from './rpc-error.ts';
import type { SnapshotSink, StreamedSnapshot } from './snapshot-assembly.ts';
import { type SnapshotOptions, streamSnapshot } from './snapshot-stream.ts';

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
}

/** Requests to one member. Every method throws EtcdkeepError. */
export class EtcdClient {
  readonly #connection: Connection;
  readonly #options: ClientOptions;
  readonly #kv: Client<typeof KV>;
  readonly #cluster: Client<typeof Cluster>;
  readonly #maintenance: Client<typeof Maintenance>;
  readonly #auth: Client<typeof Auth>;
  #token: string | undefined;

  private constructor(connection: Connection, options: ClientOptions) {
    const transport = createGrpcTransport({
      baseUrl: 'http://member',
      // The one connection that was dialled, for every request.
      sessionManager: {
        authority: 'http://member',
        request: (_method, path, headers) => Promise.resolve(connection.request(path, headers)),
        notifyResponseByteRead: () => undefined,
      },
      // etcd refuses nothing it is not offered; its answers here are a few hundred bytes.
      acceptCompression: [],
    });
    this.#connection = connection;
    this.#options = options;
    this.#kv = createClient(KV, transport);
    this.#cluster = createClient(Cluster, transport);
    this.#maintenance = createClient(Maintenance, transport);
    this.#auth = createClient(Auth, transport);
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
    return this.#call("ask for the member's status", (options) =>
      this.#maintenance.status({}, options),
    );
  }

  /**
   * The members of the cluster (Cluster.MemberList).
   * @param linearizable false to take this member's own view, which needs no quorum (3.5+;
   *   an older member ignores it and always answers from its own view)
   */
  async memberList(linearizable = true): Promise<Member[]> {
    const response = await this.#call('list the members', (options) =>
      this.#cluster.memberList({ linearizable }, options),
    );
    return response.members;
  }

  /** Alarms of all members (Maintenance.Alarm, action GET). */
  async alarmList(): Promise<AlarmMember[]> {
    const response = await this.#call('list the alarms', (options) =>
      this.#maintenance.alarm({}, options),
    );
    return response.alarms;
  }

  /** CRC-32C of the key-value history up to a revision; 0n for the newest (Maintenance.HashKV). */
  hashKV(revision = 0n): Promise<HashKVResponse> {
    return this.#call('hash the key-value store', (options) =>
      this.#maintenance.hashKV({ revision }, options),
    );
  }

  /** Reads a key or a range of keys (KV.Range). */
  range(key: Uint8Array, range: RangeOptions = {}): Promise<RangeResponse> {
    const { rangeEnd = new Uint8Array(), revision = 0n, limit = 0 } = range;
    const { keysOnly = false, countOnly = false } = range;
    const request = { key, rangeEnd, revision, limit: BigInt(limit), keysOnly, countOnly };
    return this.#call('read keys', (options) => this.#kv.range(request, options));
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
      const response = await this.#call('log in', (options) =>
        this.#auth.authenticate({ name: user, password }, options),
      );
      this.#token = response.token;
    } catch (reason) {
      // With authentication off everyone may do everything; a user named all the same does no harm.
      if (!/authentication is not enabled/.test(messageOf(reason))) throw reason;
    }
  }

  async #call<T>(
    what: string,
    request: (options: {
      headers: Record<string, string>;
      timeoutMs: number;
      signal: AbortSignal;
    }) => Promise<T>,
  ): Promise<T> {
    const { commandTimeoutMs, signal } = this.#options;
    try {
      return await request({
        headers: this.#token === undefined ? {} : { token: this.#token },
        timeoutMs: commandTimeoutMs,
        signal,
      });
    } catch (reason) {
      signal.throwIfAborted();
      throw this.#failure() ?? unaryError(reason, what, this.endpoint);
    }
  }

  /** Why the connection broke, if it did: it says more than the request that noticed. */
  #failure(): EtcdkeepError | undefined {
    return this.#connection.failure;
  }
}
