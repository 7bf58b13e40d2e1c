// A member of etcd that runs in a scratch directory, for the drill alone. It listens on sockets there, and on no port:
// nobody else can reach it, and it reaches nobody.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdkeepError, messageOf, systemCodeOf, writeError } from '../../base/errors.ts';
import { EtcdClient } from '../../etcd/client/client.ts';
import { compareMinors } from '../../etcd/store/notes.ts';
import type { EtcdProgram } from './etcd-programs.ts';
import { lastWords } from './last-words.ts';
import { askPeerHash, type PeerHash } from './peer-hash.ts';
import type { Scratch } from './scratch.ts';
import { Shortfall } from './shortfall.ts';

/** Since when etcd can be told not to sync what is thrown away anyway (--unsafe-no-fsync). */
const NO_FSYNC_SINCE = '3.5';

const DIAL_INTERVAL_MS = 50;
const DIAL_TIMEOUT_MS = 5000;
const KEEPALIVE_MS = 10_000;
/** What a shell ends with where it cannot start a program (POSIX, Shell Command Language, 2.8.2). */
const NOT_STARTED = [126, 127];
/** With less than that, nothing of etcd's can be written. */
const FULL_BYTES = 1 << 20;
/** Last words that say nothing of the backup. */
const UNPROVEN_BY = [
  // A release of tomorrow may have other flags.
  /flag provided but not defined|unknown flag/,
  // What a member says that joins, and that got no answer in time from those that are there
  // (etcd, server/etcdserver/cluster_util.go, isCompatibleWithVers): the machine is busy.
  /incompatible with current running cluster/,
];
/** After a connection broke, for the process to end as well. */
const ENDING_MS = 1000;

/** 2 GiB: more than a drill writes, so that what is full is full before. */
const SPARE_QUOTA_BYTES = 2 * 2 ** 30;

/** Where a member of the cluster lies in the scratch directory, and how it is reached from there. */
export interface MemberPlace {
  readonly name: string;
  /** etcd makes sockets of these names where it works. */
  readonly clientSocket: string;
  readonly peerSocket: string;
  readonly peerUrl: string;
  readonly dataDirectory: string;
  readonly log: string;
}

/** @param number 1 for the first member */
export function memberPlace({ path }: Scratch, number: number): MemberPlace {
  const name = `drill-${number}`;
  const peerSocket = `localhost:${number}2`;
  return {
    name,
    clientSocket: `localhost:${number}1`,
    peerSocket,
    peerUrl: `unix://${peerSocket}`,
    dataDirectory: join(path, `${name}.etcd`),
    log: join(path, `${name}.log`),
  };
}

export interface ScratchMemberSettings {
  readonly program: EtcdProgram;
  readonly scratch: Scratch;
  readonly place: MemberPlace;
  /** Of the database that it is to hold. */
  readonly databaseBytes: number;
}

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started at all. */
  readonly failure?: unknown;
}

export class ScratchMember {
  readonly #settings: ScratchMemberSettings;
  #process: ChildProcess | undefined;
  #exit: Promise<unknown> | undefined;
  #ending: Ending | undefined;

  constructor(settings: ScratchMemberSettings) {
    this.#settings = settings;
  }

  /**
   * Starts it on its data directory.
   * @param others that it joins; none for the first member
   */
  start(others: readonly MemberPlace[]): void {
    const { program, scratch, place } = this.#settings;
    const log = openLog(place.log);
    const child = scratch.start(program.path, this.#arguments(others), log);
    closeSync(log);
    this.#process = child;
    const exit = once(child, 'exit') as Promise<[Ending['code'], Ending['signal']]>;
    this.#exit = exit.then(
      ([code, signal]) => (this.#ending = { code, signal }),
      (failure: unknown) => (this.#ending = { code: null, signal: null, failure }),
    );
  }

  /**
   * Waits until it serves with a leader, for as long as the signal lets it.
   * @throws Shortfall if it ends; the signal's reason
   */
  async connect(timeoutMs: number, signal: AbortSignal): Promise<EtcdClient> {
    for (;;) {
      signal.throwIfAborted();
      this.demandRunning();
      const client = await this.#dial(timeoutMs, signal);
      if (client !== undefined) return client;
      await sleep(DIAL_INTERVAL_MS);
    }
  }

  /** HashKV as its peers ask for it; undefined until it has come to that revision. @throws the signal's reason */
  peerHash(revision: bigint, signal: AbortSignal): Promise<PeerHash | undefined> {
    return askPeerHash(this.#socketPath(this.#settings.place.peerSocket), revision, signal);
  }

  /**
   * Its revision, if it has applied the log up to an index.
   * @returns undefined if it has not, and as long as it does not serve
   * @throws the signal's reason
   */
  async revisionAt(appliedIndex: bigint, signal: AbortSignal): Promise<bigint | undefined> {
    const client = await this.#dial(DIAL_TIMEOUT_MS, signal);
    if (client === undefined) return undefined;
    try {
      const { header, raftAppliedIndex } = await client.status();
      return raftAppliedIndex >= appliedIndex ? header!.revision : undefined;
    } finally {
      client.close();
    }
  }

  /** @throws Shortfall if it has ended; EtcdkeepError `disk-full` */
  demandRunning(): void {
    if (this.#ending !== undefined) throw this.#shortfall(this.#ending);
  }

  /**
   * What its end says of the backup, asked after its connection broke.
   * @returns undefined if it still runs, or never did
   */
  async ending(): Promise<Shortfall | EtcdkeepError | undefined> {
    if (this.#exit === undefined) return undefined;
    await Promise.race([this.#exit, sleep(ENDING_MS, undefined, { ref: false })]);
    return this.#ending && this.#shortfall(this.#ending);
  }

  /** Ends it at once: nobody needs its files any more. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined || this.#ending !== undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch (reason) {
      // It has ended, and that is not yet known here.
      if (systemCodeOf(reason) !== 'ESRCH') throw reason;
    }
    await this.#exit;
  }

  /** @returns undefined as long as it does not serve */
  async #dial(timeoutMs: number, signal: AbortSignal): Promise<EtcdClient | undefined> {
    const { scratch, place } = this.#settings;
    let client: EtcdClient | undefined;
    try {
      client = await EtcdClient.connect({
        endpoint: {
          url: `unix://${join(scratch.path, place.clientSocket)}`,
          secure: false,
          address: { socketPath: this.#socketPath(place.clientSocket) },
        },
        credentials: {},
        insecureSkipVerify: false,
        dialTimeoutMs: DIAL_TIMEOUT_MS,
        keepaliveTimeMs: KEEPALIVE_MS,
        // While it defragments it says nothing; the drill's own limit bounds that.
        keepaliveTimeoutMs: timeoutMs,
        login: undefined,
        commandTimeoutMs: timeoutMs,
        signal,
      });
      const { leader } = await client.status();
      if (leader !== 0n) return client;
    } catch (reason) {
      if (!(reason instanceof EtcdkeepError)) throw reason;
    }
    client?.close();
    return undefined;
  }

  /** The path of a socket may have 108 bytes (unix(7)); from where the process works it is short. */
  #socketPath(name: string): string {
    return `/proc/${this.#process!.pid}/cwd/${name}`;
  }

  #arguments(others: readonly MemberPlace[]): string[] {
    const { program, place, databaseBytes } = this.#settings;
    const clientUrl = `unix://${place.clientSocket}`;
    const cluster = [...others, place].map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
    return [
      `--name=${place.name}`,
      `--data-dir=${place.dataDirectory}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${place.peerUrl}`,
      `--initial-advertise-peer-urls=${place.peerUrl}`,
      `--initial-cluster=${cluster}`,
      `--initial-cluster-state=${others.length === 0 ? 'new' : 'existing'}`,
      `--quota-backend-bytes=${2 * databaseBytes + SPARE_QUOTA_BYTES}`,
      // Else it wants to have seen every member for some seconds before another one joins.
      '--strict-reconfig-check=false',
      '--logger=zap',
      ...(compareMinors(program.version, NO_FSYNC_SINCE) < 0 ? [] : ['--unsafe-no-fsync']),
    ];
  }

  #shortfall({ code, signal, failure }: Ending): Shortfall | EtcdkeepError {
    const { program, scratch, place } = this.#settings;
    const title = `etcd ${program.version}`;
    if (failure !== undefined) {
      return new Shortfall('unproven', `${title} cannot be started: ${messageOf(failure)}`);
    }
    const words = lastWords(readFileSync(place.log, 'utf8'));
    if (/no space left on device/.test(words) || isFull(scratch.path)) {
      return new EtcdkeepError('disk-full', 'no space is left for the drill', {
        path: scratch.path,
        advice: 'free some space, or name another directory with --scratch',
        facts: words === '' ? [] : [['etcd says', words]],
      });
    }
    if (code !== null && NOT_STARTED.includes(code)) {
      return new Shortfall('unproven', `${title} cannot be started: ${words}`);
    }
    if (code === null) return new Shortfall('unproven', `${title} was ended by ${signal}`);
    const says = words === '' ? '' : `: ${words}`;
    return new Shortfall(
      UNPROVEN_BY.some((reason) => reason.test(words)) ? 'unproven' : 'bad',
      `${title} does not run on it and ended with code ${code}${says}`,
    );
  }
}

function openLog(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (reason) {
    throw writeError(reason, "write the member's log", path);
  }
}

/** Where there is no room for its log either, etcd ends without a word. */
function isFull(directory: string): boolean {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize < FULL_BYTES;
}
