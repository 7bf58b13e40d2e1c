// How checks look: one line each, its verdict as a sign and, where it is none, in words.

import { NEEDED } from '../backup/checks/catalog.ts';
import type { CheckResult } from '../backup/checks/result.ts';

const NAME_WIDTH = 22;

/** `ok`, `!` or `✗`, the check's name, and what was observed. */
export function checkLine(result: CheckResult): string {
  const { name, evidence } = result;
  const unknown = result.result === 'unknown' ? 'unknown: ' : '';
  const override =
    signOf(result) === '✗' && !NEEDED.includes(name) ? `   --skip-check ${name}` : '';
  return `  ${signOf(result).padEnd(4)}${name.padEnd(NAME_WIDTH)}${unknown}${evidence}${override}`;
}

/** `11 passed, 2 warnings, 1 skipped`. */
export function checkSummary(results: readonly CheckResult[], skipped: number): string {
  const count = (sign: string): number =>
    results.filter((result) => signOf(result) === sign).length;
  const parts = [
    `${count('ok')} passed`,
    ...plural(count('!'), 'warning'),
    ...(count('✗') === 0 ? [] : [`${count('✗')} failed`]),
    ...(skipped === 0 ? [] : [`${skipped} skipped`]),
  ];
  return parts.join(', ');
}

function signOf({ severity, result }: CheckResult): 'ok' | '!' | '✗' {
  if (result === 'passed') return 'ok';
  return severity === 'refuse' && result === 'failed' ? '✗' : '!';
}

function plural(count: number, noun: string): string[] {
  if (count === 0) return [];
  return [`${count} ${noun}${count === 1 ? '' : 's'}`];
}
