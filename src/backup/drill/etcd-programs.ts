// Which etcd a drill runs: the one that was named, or of those on this machine the one that is nearest to the etcd that
// the backup was taken from, and never an older one.

import { execFile } from 'node:child_process';
import { readlinkSync, statSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { namesIn } from '../../base/directory-names.ts';
import { EtcdkeepError, messageOf, systemCodeOf } from '../../base/errors.ts';
import { compareMinors } from '../../etcd/store/notes.ts';

export interface EtcdProgram {
  /** What is started. */
  readonly path: string;
  /** What a person knows it by. */
  readonly name: string;
  /** As it says itself: `3.6.16`. */
  readonly version: string;
}

export interface EtcdWish {
  /** The program that the user named. */
  readonly named: string | undefined;
  /** PATH of the caller. */
  readonly searchPath: string;
  /** Version of the etcd that the snapshot is of, as far as it is known. */
  readonly wanted: string | undefined;
  readonly signal: AbortSignal;
}

/** Where distributions and etcd's own instructions put it; the PATH of a service may be shorter. */
const USUAL_PLACES = ['/usr/local/bin/etcd', '/usr/bin/etcd'];

/** Where both layouts keep a member's data. */
const DATA_DIRECTORY = '/var/lib/etcd';

/** A program that says nothing for so long is no etcd. */
const ANSWER_LIMIT_MS = 10_000;
const ANSWER_BYTES_MAX = 64 << 10;

const VERSION = /^etcd Version: (\d+\.\d+\.\d+\S*)$/m;

/**
 * Finds an etcd.
 * @returns undefined if there is none that could run on the snapshot
 * @throws EtcdkeepError `etcd-unusable`, `etcd-too-old`, both of one that was named; the signal's reason
 */
export async function findEtcd(wish: EtcdWish): Promise<EtcdProgram | undefined> {
  const { named, wanted, signal } = wish;
  if (named !== undefined) return askNamed(named, wanted, signal);
  const found: EtcdProgram[] = [];
  for (const { path, name } of await candidates(wish.searchPath)) {
    const version = await ask(path, signal).catch(() => undefined);
    signal.throwIfAborted();
    if (version !== undefined) found.push({ path, name, version });
  }
  return found
    .filter(({ version }) => isNewEnough(version, wanted))
    .sort((left, right) => preference(left.version, right.version, wanted))
    .at(0);
}

/** @throws EtcdkeepError `etcd-unusable`, `etcd-too-old`; the signal's reason */
async function askNamed(
  named: string,
  wanted: string | undefined,
  signal: AbortSignal,
): Promise<EtcdProgram> {
  // It is started elsewhere than it is asked.
  const path = resolve(named);
  const version = await ask(path, signal).catch((reason: unknown) => {
    signal.throwIfAborted();
    throw new EtcdkeepError('etcd-unusable', `this is no etcd that can be run: ${whyNot(reason)}`, {
      path,
      cause: reason,
    });
  });
  if (isNewEnough(version, wanted)) return { path, name: path, version };
  throw new EtcdkeepError(
    'etcd-too-old',
    `this is etcd ${version}, and the snapshot is of etcd ${wanted}`,
    { path },
  );
}

/** What an etcd of ours is started with: it would take the caller's ETCD_ variables for flags. */
export function bareEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] };
}

function whyNot(reason: unknown): string {
  const code = systemCodeOf(reason);
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'it may not be executed';
  return messageOf(reason).split('\n')[0]!;
}

/** @returns the version that a program says it has as an etcd */
async function ask(path: string, signal: AbortSignal): Promise<string> {
  const { stdout } = await promisify(execFile)(path, ['--version'], {
    env: bareEnvironment(),
    signal,
    timeout: ANSWER_LIMIT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: ANSWER_BYTES_MAX,
  });
  const version = VERSION.exec(stdout)?.[1];
  if (version === undefined) throw new Error('asked for its version, it names none of etcd');
  return version;
}

function isNewEnough(version: string, wanted: string | undefined): boolean {
  return wanted === undefined || compareMinors(version, wanted) >= 0;
}

/** The nearest minor first, which is the lowest: older ones are out. Of one minor the newest, unless it is the very one. */
function preference(left: string, right: string, wanted: string | undefined): number {
  // Of what nothing is known of, the newest is most likely to read it.
  const byMinor = compareMinors(left, right) * (wanted === undefined ? -1 : 1);
  if (byMinor !== 0) return byMinor;
  if (left === wanted || right === wanted) return left === wanted ? -1 : 1;
  return right.localeCompare(left, 'en', { numeric: true });
}

interface Candidate {
  readonly path: string;
  readonly name: string;
}

/** Programs of that name, each once. */
async function candidates(searchPath: string): Promise<readonly Candidate[]> {
  const onPath = searchPath.split(delimiter).filter((directory) => directory.startsWith('/'));
  const installed = [...onPath.map((directory) => join(directory, 'etcd')), ...USUAL_PLACES].map(
    (path) => ({ path, name: path }),
  );
  const seen = new Set<string>();
  const found: Candidate[] = [];
  for (const candidate of [...installed, ...(await running())]) {
    const id = identity(candidate.path);
    if (id === undefined || seen.has(id) || !(await isExecutable(candidate.path))) continue;
    seen.add(id);
    found.push(candidate);
  }
  return found;
}

/** The programs of members that run: where etcd is a static pod, it lies in an image and nowhere else. */
async function running(): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  for (const pid of await namesIn('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const name = readlinkSync(`/proc/${pid}/exe`);
      if (!name.endsWith('/etcd') || !isOfThisHost(pid)) continue;
      found.push({ path: `/proc/${pid}/exe`, name: `${name} of process ${pid}` });
    } catch {
      // It has ended, or is not ours to look at.
    }
  }
  return found;
}

/**
 * Whether a process belongs to the host: what a stranger's container brings along is not run as root. A member's
 * container sees the host's own data directory, which nobody gets who is not trusted with all of the cluster.
 */
function isOfThisHost(pid: string): boolean {
  const owner = statSync(`/proc/${pid}`).uid;
  if (owner !== 0 && owner !== process.geteuid?.()) return false;
  const root = `/proc/${pid}/root`;
  if (identity(`${root}/`) === identity('/')) return true;
  const data = identity(DATA_DIRECTORY);
  return data !== undefined && identity(`${root}${DATA_DIRECTORY}`) === data;
}

function identity(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev} ${found.ino}`;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
