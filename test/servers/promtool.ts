// Prometheus' own reader of metrics and of alert rules.
import { spawnSync } from 'node:child_process';
import { type CommandResult, runCommand } from './command.ts';
import { packagedProgram } from './debian-package.ts';
import { type FoundPart, findPart, preparePart } from './parts.ts';

const PROMTOOL = packagedProgram('promtool', 'prometheus', 'usr/bin/promtool');

/** The program, if it is there already. */
export function findPromtool(): Promise<FoundPart> {
  return findPart(PROMTOOL);
}

/** The program, unpacked if need be. */
export function preparePromtool(): Promise<FoundPart> {
  return preparePart(PROMTOOL);
}

/** Runs it. Throws if it cannot be had. */
export async function runPromtool(args: readonly string[]): Promise<CommandResult> {
  return await runCommand(await path(), args, { timeoutMs: 60_000 });
}

/** What it says against a file of metrics, as an exporter serves it: nothing if it is well. */
export async function checkMetrics(text: string): Promise<string> {
  const { stdout, stderr, status } = spawnSync(await path(), ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  return status === 0 ? '' : `${stdout}${stderr}`;
}

async function path(): Promise<string> {
  const found = await findPromtool();
  if ('reason' in found) throw new Error(`promtool cannot be had: ${found.reason}`);
  return found.path;
}
