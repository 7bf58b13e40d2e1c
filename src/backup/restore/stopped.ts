// The proof that etcd has stopped, which is made before each move: its manifest is away, no container of it runs, nobody
// answers on its ports, no process holds a file of its data, and the lock of its database is free.

import { connect } from 'node:net';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdkeepError, systemCodeOf } from '../../base/errors.ts';
import { openFilesBelow, procOf } from '../open-files.ts';
import { runningContainers } from './containers.ts';
import { databaseLock } from './database-lock.ts';
import { hasManifest, isTakenHalfway, takeManifestAway, writtenBack } from './manifest.ts';
import type { RestorePlan } from './plan.ts';
import { POLL_MS, type Run } from './run.ts';

const STOP_TIMEOUT_MS = 120_000;
const CONNECT_TIMEOUT_MS = 2000;

/** A manifest that comes back more often is written by something that will go on doing so. */
const WRITTEN_BACK_MAX = 3;

/** Nobody listens, or nobody is there: neither can be an etcd on this host. */
const CLOSED = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EHOSTDOWN'];

interface Observation {
  /** Who still runs or holds what, in words. */
  readonly holders: readonly string[];
  /** What cannot be asked here. */
  readonly unknown: readonly string[];
}

/**
 * Waits until it is proven. A manifest that is back is taken away again, kept and told of.
 * @throws EtcdkeepError `etcd-still-running` where nothing was moved yet, else `etcd-running-again`; `manifest-written-back`;
 * `target-unwritable`, `disk-full`, `file-failed`; the signal's reason
 */
export async function proveStopped(run: Run): Promise<void> {
  const { report, signal, stopTimeoutMs = STOP_TIMEOUT_MS, pollMs = POLL_MS } = run;
  const started = performance.now();
  let times = 0;
  for (;;) {
    signal.throwIfAborted();
    if ((await hasManifest(run)) || (await isTakenHalfway(run))) {
      times += 1;
      await takeAgain(run, times);
    }
    const { holders, unknown } = await observe(run);
    if (holders.length === 0 && !(await hasManifest(run))) {
      report({ kind: 'stop-proven', unknown });
      return;
    }
    const elapsedMs = performance.now() - started;
    report({ kind: 'waiting-for-stop', elapsedMs, holders });
    if (elapsedMs >= stopTimeoutMs) throw stillRunning(run, holders, elapsedMs);
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

async function takeAgain(run: Run, times: number): Promise<void> {
  const { plan, journal, report } = run;
  const isFirstStop = !journal.state.done.has('stop');
  const kept = await takeManifestAway(run);
  if (isFirstStop && kept === undefined && times === 1) return;
  const path = plan.etcd.manifest;
  report({ kind: 'manifest-written-back', path, keptAs: kept?.keptAs ?? plan.etcd.stopped });
  if (times <= WRITTEN_BACK_MAX) return;
  throw writtenBack(plan, `the manifest of etcd was written back ${times} times`);
}

async function observe({ host, plan }: Run): Promise<Observation> {
  const holders: string[] = [];
  const unknown: string[] = [];
  const containers = await runningContainers(host, plan.etcd.containers);
  if (containers === undefined) unknown.push('containers: crictl cannot be asked');
  for (const name of containers ?? []) holders.push(`container ${name} runs`);
  for (const address of addressesOf(plan)) {
    const state = await portState(address);
    if (state === 'answers') holders.push(`${address.host}:${address.port} answers`);
  }
  const places = placesOf(plan);
  const open = await openFilesBelow(
    places.map((place) => host.realPath(place)),
    await procOf(host),
  );
  for (const { pid, program, path, how } of open) {
    holders.push(`process ${pid} (${program}): ${join('/', relative(host.root, path))} is ${how}`);
  }
  for (const place of places) {
    const database = `${place}/snap/db`;
    const lock = await databaseLock(host, database);
    if (lock === 'held') holders.push(`somebody holds the lock of ${database}`);
    if (lock === 'unknown') unknown.push(`lock of ${database}: flock(1) is not there`);
  }
  return { holders, unknown };
}

/** Where the data can be, as the host knows it: today's, those that are kept, the new ones. */
function placesOf({ data }: RestorePlan): readonly string[] {
  const places = [`${data.directory}/member`, `${data.build}/member`];
  return data.kept === undefined ? places : [...places, data.kept];
}

interface Address {
  readonly host: string;
  readonly port: number;
}

function addressesOf({ member, etcd }: RestorePlan): readonly Address[] {
  const hostOf = (url: string): string => new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
  const client = { host: hostOf(member.endpoint), port: etcd.clientPort };
  const peers = new Set(member.peerUrls.map(hostOf));
  return [client, ...[...peers].map((host) => ({ host, port: etcd.peerPort }))];
}

/** A process that is stopped (SIGSTOP) still has its port: the kernel answers for it. */
function portState({ host, port }: Address): Promise<'closed' | 'answers'> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const end = (state: 'closed' | 'answers'): void => {
      socket.destroy();
      resolve(state);
    };
    socket.once('connect', () => end('answers'));
    // A queue of connections that nobody takes is full, or a filter drops them: something may well be there.
    socket.once('timeout', () => end('answers'));
    socket.once('error', (reason) =>
      end(CLOSED.includes(systemCodeOf(reason) ?? '') ? 'closed' : 'answers'),
    );
  });
}

function stillRunning(run: Run, holders: readonly string[], elapsedMs: number): EtcdkeepError {
  const { plan, journal } = run;
  const facts = holders.map((holder) => ['still there', holder] as const);
  const seconds = Math.round(elapsedMs / 1000);
  if (journal.state.done.has('stop')) {
    return new EtcdkeepError(
      'etcd-running-again',
      `etcd had stopped, and after ${seconds} s something holds its data`,
      {
        facts,
        advice: `end what is named, then go on: etcdkeep restore --resume ${plan.stamp}`,
      },
    );
  }
  return new EtcdkeepError(
    'etcd-still-running',
    `etcd cannot be proven to have stopped within ${seconds} s`,
    { facts },
  );
}
