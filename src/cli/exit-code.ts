// How a command ends: the one place where errors become exit codes.

import { EtcdkeepError } from '../base/errors.ts';

/** The exit code for anything that a command throws. */
export function exitCodeOf(error: unknown): number {
  return error instanceof EtcdkeepError ? error.exitCode : 1;
}
