// How checks look: one line each, its verdict as a sign and, where it is none, in words.

import type { CheckResult } from '../backup/checks/result.ts';

const NAME_WIDTH = 22;

/**
 * `ok`, `!` or `✗`, the check's name, and what was observed.
 * @param needed the checks that cannot be left out
 */
export function checkLine<Name extends string>(
  result: CheckResult<Name>,
  needed: readonly Name[],
): string {
  const { name, evidence } = result;
  const unknown = result.result === 'unknown' ? 'unknown: ' : '';
  const override =
    signOf(result) === '✗' && !needed.includes(name) ? `   --skip-check ${name}` : '';
  return `  ${signOf(result).padEnd(4)}${name.padEnd(NAME_WIDTH)}${unknown}${evidence}${override}`;
}

/** `11 passed, 2 warnings, 1 skipped`. */
export function checkSummary(results: readonly CheckResult<string>[], skipped: number): string {
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

function signOf({ severity, result }: CheckResult<string>): 'ok' | '!' | '✗' {
  if (result === 'passed') return 'ok';
  return severity === 'refuse' && result === 'failed' ? '✗' : '!';
}

function plural(count: number, noun: string): string[] {
  if (count === 0) return [];
  return [`${count} ${noun}${count === 1 ? '' : 's'}`];
}
