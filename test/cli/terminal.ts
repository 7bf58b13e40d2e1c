// Runs etcdkeep on a terminal, which script(1) of util-linux makes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, vi } from 'vitest';
import { cleanEnvironment, findOnPath } from '../servers/processes.ts';
import { ETCDKEEP } from './run.ts';

export const COLUMNS = 100;

/** Why there is none, for a heading; empty where there is one. */
export const noTerminal =
  findOnPath('script') === undefined ? ' (not run: there is no script)' : '';

export interface Typing {
  /** What is waited for on the screen, and then typed. */
  readonly after: string;
  readonly keys: string;
}

/** Runs it on a terminal, and returns all that was printed there, and the exit code. */
export async function onTerminal(
  line: readonly string[],
  env: Readonly<Record<string, string>> = {},
  typing?: Typing,
): Promise<{ code: number; screen: string }> {
  const words = [ETCDKEEP, ...line].map((word) => `'${word}'`).join(' ');
  const command = `stty cols ${COLUMNS} rows 30; exec ${words}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { ...cleanEnvironment(), TERM: 'xterm', SHELL: '/bin/sh', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (screen += text));
  const exit = once(child, 'close') as Promise<[number]>;
  if (typing !== undefined) {
    await vi.waitFor(() => expect(screen).toContain(typing.after), { timeout: 10_000 });
    child.stdin.write(typing.keys);
  }
  const [code] = await exit;
  return { code, screen };
}
