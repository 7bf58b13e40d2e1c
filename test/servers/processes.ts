// Processes that never outlive the test that started them.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Whether a process exists, a zombie included. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it exists and belongs to someone else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Where a program lies on the PATH, or undefined. */
export function findOnPath(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((directory) => directory !== '')
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));
}

/** What util-linux' setpriv is told: SIGKILL for the child when the thread that spawned it dies. */
const DEATH_SIGNAL = ['--pdeathsig', 'KILL', '--'];

const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Starts a server that dies with this process, however this process ends. An exit is covered by a
 * hook, SIGKILL by the kernel: setpriv sets the parent death signal and then becomes the server, so
 * the process id is the server's own. Without setpriv only the hook is left.
 * @param log file descriptor for its stdout and stderr
 */
export function spawnServer(
  file: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  log: number,
): ChildProcess {
  const setpriv = findOnPath('setpriv');
  const command = setpriv === undefined ? [file] : [setpriv, ...DEATH_SIGNAL, file];
  const child = spawn(command[0]!, [...command.slice(1), ...args], {
    env: environment,
    stdio: ['ignore', log, log],
  });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

/** Sends a signal to a server: SIGTERM, SIGCONT, and SIGSTOP, which has worked on return. */
export function signalServer(pid: number, signal: NodeJS.Signals): void {
  process.kill(pid, signal);
  // Threads that run on another core stop a moment later, and answer until then.
  while (signal === 'SIGSTOP' && !isStopped(pid)) pauseMs(1);
}

/** Whether every thread of a process is stopped by a signal: state T in proc(5). */
function isStopped(pid: number): boolean {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.every((thread) =>
    /\) T /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1')),
  );
}

function pauseMs(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** This process' environment with ETCD_* and ETCDCTL_* unset, which the programs take as flags. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).map(([name, value]) => [
      name,
      /^ETCD(CTL|UTL)?_/.test(name) ? undefined : value,
    ]),
  );
}
