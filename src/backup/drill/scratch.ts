// The directory that a drill works in. All that is secret in the cluster lies in it, and members run in it, so a shell
// watches over it: as soon as this process ends, however it ends, the shell ends what runs there and removes all of it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import { access, constants, mkdtemp, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namesIn } from '../../base/directory-names.ts';
import { EtcdkeepError, readError, writeError } from '../../base/errors.ts';
import { mayStillRun, processLabel } from '../../base/process-label.ts';
import { roomFor } from '../../base/room.ts';
import { formatBytes } from '../../base/units.ts';
import { bareEnvironment } from './etcd-programs.ts';

/** How its name begins; the label of its process and six letters follow. No backup takes it for one of its own. */
const PREFIX = '.etcdkeep-drill-';

/** Process ids of what runs in it, a line each. */
const PROCESSES = 'processes';

/** For what is larger and may stay for longer than what is in /tmp, which is memory on many hosts (hier(7)). */
const LARGE_TEMPORARY = '/var/tmp';

/** Magic numbers of tmpfs and ramfs (statfs(2)). */
const MEMORY_FILE_SYSTEMS = [0x01021994, 0x858458f6];

// Its input ends with whoever started it. From then on nothing more is started: what is to be, notes itself first. What is
// no more may have left its number to another process, which does not work in the directory.
const WATCH = `
cat >/dev/null
mv "$1/${PROCESSES}" "$1/ended" && mkdir "$1/${PROCESSES}"
for pid in $(cat "$1/ended"); do
  tries=0
  while [ "/proc/$pid/cwd" -ef "$1" ] && [ $tries -lt 10 ]; do
    kill -s KILL -- "-$pid"
    tries=$((tries + 1))
    sleep 1
  done
done
rm -rf -- "$1"
`;

/** Where its number cannot be noted, nothing is started. */
const START = `echo $$ >>${PROCESSES} && exec "$@"`;

/** Where a scratch directory is made if nobody says it: on a disk, if that can be had. */
export async function defaultParent(
  environment: Readonly<Partial<Record<string, string>>>,
): Promise<string> {
  const { TMPDIR: named = '' } = environment;
  if (named !== '') return named;
  const isUsable = await access(LARGE_TEMPORARY, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  return isUsable ? LARGE_TEMPORARY : tmpdir();
}

/** Whether what is written there takes memory. */
export async function isInMemory(directory: string): Promise<boolean> {
  // That it is not there is told when something is made in it.
  const found = await statfs(directory).catch(() => undefined);
  return found !== undefined && MEMORY_FILE_SYSTEMS.includes(found.type);
}

/** @throws EtcdkeepError `scratch-too-small`, `file-failed` */
export async function demandSpace(directory: string, neededBytes: number): Promise<void> {
  for (const { needed, free } of await roomFor([{ directory, bytes: neededBytes }])) {
    if (free >= needed) continue;
    throw new EtcdkeepError(
      'scratch-too-small',
      `a drill of this backup writes up to ${formatBytes(needed)}, and ${formatBytes(free)} are free`,
      { path: directory },
    );
  }
}

export class Scratch {
  /** Of mode 0700. */
  readonly path: string;
  readonly #watch: ChildProcess;

  private constructor(path: string, watch: ChildProcess) {
    this.path = path;
    this.#watch = watch;
  }

  /**
   * Makes one, after what killed drills have left there is removed.
   * @throws EtcdkeepError `target-unwritable`, `disk-full`, `file-failed`
   */
  static async make(parent: string): Promise<Scratch> {
    await sweep(parent);
    try {
      const path = await mkdtemp(join(parent, `${PREFIX}${processLabel()}-`));
      await writeFile(join(path, PROCESSES), '', { mode: 0o600 });
      return new Scratch(path, await startWatch(path, 'pipe'));
    } catch (reason) {
      throw writeError(reason, 'make a directory for the drill', parent);
    }
  }

  /**
   * Starts a program that works in it, and is ended with it.
   * @param log file descriptor for its stdout and stderr
   */
  start(path: string, args: readonly string[], log: number): ChildProcess {
    // A group of its own: no key on the terminal reaches it, and a script takes what it runs with it.
    return spawn('/bin/sh', ['-c', START, 'etcdkeep-drill', path, ...args], {
      cwd: this.path,
      detached: true,
      env: bareEnvironment(),
      stdio: ['ignore', log, log],
    });
  }

  /** Ends what still runs in it, and removes it. @returns whether it is gone */
  async remove(): Promise<boolean> {
    const { exitCode, signalCode } = this.#watch;
    const isWatched = exitCode === null && signalCode === null;
    const watch = isWatched ? this.#watch : await startWatch(this.path, 'ignore');
    const end = once(watch, 'exit');
    watch.stdin?.end();
    const [code] = (await end) as [number | null];
    return code === 0;
  }
}

/** Removes the directories of this user's drills that are no more and whose shell is none either: a power cut ends both. */
async function sweep(parent: string): Promise<void> {
  for (const name of await namesIn(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const label = name.slice(PREFIX.length).replace(/-[^-]*$/, '');
    const path = join(parent, name);
    if (mayStillRun(label) !== false || !isOwnDirectory(path)) continue;
    await once(await startWatch(path, 'ignore'), 'exit');
  }
}

/** Anybody may make names in a temporary directory. */
function isOwnDirectory(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === process.geteuid?.();
}

/** In a session of its own: no key on the terminal reaches it. */
async function startWatch(path: string, input: 'pipe' | 'ignore'): Promise<ChildProcess> {
  const watch = spawn('/bin/sh', ['-c', WATCH, 'etcdkeep-drill', path], {
    cwd: '/',
    detached: true,
    stdio: [input, 'ignore', 'ignore'],
  });
  // Where it is ended before, it takes no more.
  watch.stdin?.on('error', () => undefined);
  try {
    await once(watch, 'spawn');
  } catch (reason) {
    throw readError(reason, 'watch over the directory for the drill', path);
  }
  return watch;
}
