// What every failure of a command looks like, whatever its reason.
import { expect } from 'vitest';
import type { ErrorCode } from '../../src/base/error-codes.ts';
import type { CommandResult } from '../servers/command.ts';

/** An error as it is on the screen. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** The rows below the message by their noun: `do`, `endpoint`, `file`. */
  readonly rows: ReadonlyMap<string, string>;
  /** The line below the rows, '' where there is none. */
  readonly aftermath: string;
}

const HEADING = /^Error: (.+) \(([a-z0-9-]+)\)$/m;

/** Reads the error on stderr. */
export function failureOf({ stderr }: CommandResult): Failure {
  const heading = HEADING.exec(stderr);
  if (heading === null) throw new Error(`there is no error on stderr:\n${stderr}`);
  const lines = stderr.slice(heading.index).trimEnd().split('\n').slice(1);
  const rows = lines.filter((line) => line.startsWith('  '));
  return {
    message: heading[1]!,
    code: heading[2]!,
    rows: new Map(rows.map((line) => [line.slice(2, 14).trim(), line.slice(14)])),
    aftermath: lines.slice(rows.length).join('\n'),
  };
}

/**
 * Expects a run to have failed as every failure has to: with the exit code, the stable code, one
 * plain sentence and what to do next, without a trace of the inside and without escape codes.
 */
export function expectFailure(outcome: CommandResult, code: ErrorCode, exitCode = 1): Failure {
  const failure = failureOf(outcome);
  expect({ code: failure.code, exitCode: outcome.code }, outcome.stderr).toEqual({
    code,
    exitCode,
  });
  expect(failure.message).toMatch(/^\S.*[^.\s]$/);
  expect(failure.rows.get('do')).toMatch(/^\S/);
  expect(failure.rows.get('more')).toBe(`docs/errors.md#${code}`);
  expect(outcome.stderr).not.toMatch(/\x1b|^ +at |node:\w|(?<!received )undefined|\[object/m);
  // Nothing is called saved that is not.
  expect(outcome.stdout).not.toMatch(/saved/);
  return failure;
}
