// What comes out of a check.

import { EtcdkeepError } from '../../base/errors.ts';
import { CHECKS, type CheckName, NEEDED, STRICT } from './catalog.ts';

export interface Outcome {
  /** `unknown` where it could not be asked: never taken for passed, and never refuses. */
  readonly result: 'passed' | 'failed' | 'unknown';
  /** What was observed. */
  readonly evidence: string;
}

export interface CheckResult extends Outcome {
  readonly name: CheckName;
  readonly severity: 'refuse' | 'warn';
}

/** A check that was told to be left out. */
export interface SkippedCheck {
  readonly name: CheckName;
  readonly reason: string;
}

export const passed = (evidence: string): Outcome => ({ result: 'passed', evidence });
export const failed = (evidence: string): Outcome => ({ result: 'failed', evidence });
export const unknown = (evidence: string): Outcome => ({ result: 'unknown', evidence });

/** One check, ready to be asked. */
export type Check = () => Outcome | Promise<Outcome>;

/** The result of a check; what it could not find out is unknown. */
export async function ask(name: CheckName, check: Check, isStrict: boolean): Promise<CheckResult> {
  const severity = isStrict && STRICT.includes(name) ? 'refuse' : CHECKS[name].severity;
  try {
    return { name, severity, ...(await check()) };
  } catch (reason) {
    if (!(reason instanceof EtcdkeepError)) throw reason;
    return { name, severity, ...unknown(reason.message) };
  }
}

/** The error of the first check that refuses, or undefined. */
export function refusalOf(results: readonly CheckResult[]): EtcdkeepError | undefined {
  const refusing = results.filter(isRefusing);
  const [first, ...others] = refusing;
  if (first === undefined) return undefined;
  const { name, evidence } = first;
  return new EtcdkeepError('check-failed', `check "${name}" failed: ${evidence}`, {
    facts: others.map((other) => [other.name, other.evidence] as const),
    advice: NEEDED.includes(name)
      ? CHECKS[name].advice
      : `${CHECKS[name].advice}; --skip-check ${name} goes on without it`,
  });
}

export function isRefusing({ severity, result }: CheckResult): boolean {
  return severity === 'refuse' && result === 'failed';
}
