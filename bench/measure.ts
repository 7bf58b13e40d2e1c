// Measures one run of a command as a whole process: wall time, CPU time, peak memory.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ETCDKEEP = fileURLToPath(new URL('../bin/etcdkeep', import.meta.url));

export interface Measured {
  readonly wallMs: number;
  /** User and system time of the process and of its children. */
  readonly cpuMs: number;
  /** Largest resident set, in bytes; 0 if it was not looked at. */
  readonly peakBytes: number;
}

/**
 * How often the peak is read. It never falls, so only the last reading's age is lost; but on two busy
 * cores each reading takes time from what is measured: 5 ms cost a Node process a tenth of its time.
 */
const SAMPLE_MS = 50;

/**
 * Runs a command to its end.
 * @param options.withPeak whether its memory is looked at, which takes time from a command that uses both cores
 * @throws Error if it fails, with what it printed
 */
export async function measure(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  { withPeak = true }: { readonly withPeak?: boolean } = {},
): Promise<Measured> {
  // Node does not tell a child's CPU time; bash's `times` does, for all children it has waited for.
  const script = '"$@" & echo "pid $!"; wait $!; code=$?; times; exit $code';
  const child = spawn('bash', ['-c', script, 'bash', ...command], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const began = performance.now();
  let stdout = '';
  let stderr = '';
  let pid: string | undefined;
  let peakBytes = 0;
  const sample = (): void => {
    pid ??= /^pid (\d+)$/m.exec(stdout)?.[1];
    if (pid !== undefined) peakBytes = Math.max(peakBytes, peakOf(pid));
  };
  const timer = withPeak ? setInterval(sample, SAMPLE_MS) : undefined;
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearInterval(timer);
  const wallMs = performance.now() - began;
  if (code !== 0) throw new Error(`${command.join(' ')} failed (${String(code)}):\n${stderr}`);
  return { wallMs, cpuMs: childTimes(stdout), peakBytes };
}

function peakOf(pid: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** The second line of `times`: user and system time of the children, as `0m1.234s 0m0.567s`. */
function childTimes(stdout: string): number {
  const lines = stdout.trimEnd().split('\n');
  const times = [...lines.at(-1)!.matchAll(/(\d+)m([\d.]+)s/g)];
  return times.reduce((sum, [, minutes, seconds]) => sum + (+minutes! * 60 + +seconds!) * 1000, 0);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
