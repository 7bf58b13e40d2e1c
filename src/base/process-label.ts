// A name for this process that another one can ask about: does it still run?

import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * `<host>-<boot>-<pid namespace>-<pid>-<start>`: a pid alone may be another process's by now, and
 * means something only on its own host and in its own pid namespace.
 */
export function processLabel(): string {
  return [host(), boot(), pidNamespace(), process.pid, startTicks(process.pid)].join('-');
}

/**
 * Whether the process of a label may still run. Of another host, as where two of them share a directory, and
 * from another container nothing can be said of it; then it counts as running.
 * @returns undefined if the text is no label
 */
export function mayStillRun(label: string): boolean | undefined {
  const match = /^([0-9a-f]{8})-([0-9a-f]{8})-(\d+)-(\d+)-(\d+)$/.exec(label);
  if (match === null) return undefined;
  const [, itsHost, itsBoot, itsNamespace, pid, start] = match;
  if (itsHost !== host()) return true;
  if (itsBoot !== boot()) return false;
  if (itsNamespace !== pidNamespace()) return true;
  return startTicks(Number(pid)) === start;
}

/**
 * Whether the process of a label is known to have ended: one of this very boot of this machine, which no other can be taken
 * for. @returns false if the text is no label
 */
export function hasEnded(label: string): boolean {
  return label.split('-')[1] === boot() && mayStillRun(label) === false;
}

/** Of the name that the kernel has for the machine: of any length, and in eight digits here. */
function host(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
}

/** The kernel makes a new id at every boot (random(4)). */
function boot(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
}

function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid').replaceAll(/\D/g, '');
}

/** When the process started, in clock ticks since boot: field 22 of /proc/PID/stat (proc(5)). */
function startTicks(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is a name in parentheses, which may hold spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
