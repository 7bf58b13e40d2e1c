// What comes out of a check.

import { EtcdkeepError } from '../../base/errors.ts';
import type { CheckMeaning, CheckName } from './catalog.ts';

export interface Outcome {
  /** `unknown` where it could not be asked: never taken for passed, and never refuses. */
  readonly result: 'passed' | 'failed' | 'unknown';
  /** What was observed. */
  readonly evidence: string;
}

export interface CheckResult<Name extends string = CheckName> extends Outcome {
  readonly name: Name;
  readonly severity: 'refuse' | 'warn';
}

/** A check that was told to be left out. */
export interface SkippedCheck<Name extends string = CheckName> {
  readonly name: Name;
  readonly reason: string;
}

/** A closed set of checks. */
export interface Catalog<Name extends string> {
  readonly meanings: Readonly<Record<Name, CheckMeaning>>;
  /** Those that cannot be left out. */
  readonly needed: readonly Name[];
}

export const passed = (evidence: string): Outcome => ({ result: 'passed', evidence });
export const failed = (evidence: string): Outcome => ({ result: 'failed', evidence });
export const unknown = (evidence: string): Outcome => ({ result: 'unknown', evidence });

/** One check, ready to be asked. */
export type Check = () => Outcome | Promise<Outcome>;

/** The result of a check; what it could not find out is unknown. */
export async function ask<Name extends string>(
  name: Name,
  severity: 'refuse' | 'warn',
  check: Check,
): Promise<CheckResult<Name>> {
  try {
    return { name, severity, ...(await check()) };
  } catch (reason) {
    if (!(reason instanceof EtcdkeepError)) throw reason;
    return { name, severity, ...unknown(reason.message) };
  }
}

/** The error of the first check that refuses, or undefined. */
export function refusalOf<Name extends string>(
  results: readonly CheckResult<Name>[],
  { meanings, needed }: Catalog<Name>,
): EtcdkeepError | undefined {
  const refusing = results.filter(isRefusing);
  const [first, ...others] = refusing;
  if (first === undefined) return undefined;
  const { name, evidence } = first;
  const { advice, without = 'goes on without it' } = meanings[name];
  return new EtcdkeepError('check-failed', `check "${name}" failed: ${evidence}`, {
    facts: others.map((other) => [other.name, other.evidence] as const),
    advice: needed.includes(name) ? advice : `${advice}; --skip-check ${name} ${without}`,
  });
}

export function isRefusing({ severity, result }: CheckResult<string>): boolean {
  return severity === 'refuse' && result === 'failed';
}
