// The one error shape. It is made at the boundary where a foreign error enters (a file system
// call, a socket, a library), and mapped to an exit code and a screen in one place, src/cli.

import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

/** Where it happened. Every field is optional; the ones that are known are shown. */
export interface Position {
  readonly path?: string;
  readonly endpoint?: string;
  /** Byte offset in the file or stream. */
  readonly offset?: number;
  /** bbolt page id. */
  readonly page?: number;
  /** etcd revision. */
  readonly revision?: bigint;
}

export interface ErrorDetails extends Position {
  /** More of what is known, as noun and text, shown in this order below the message. */
  readonly facts?: readonly (readonly [noun: string, text: string])[];
  /** What to do next, where the code's own advice can be bettered. */
  readonly advice?: string;
  readonly cause?: unknown;
}

/**
 * An error with a stable code. The message is one plain sentence without a full stop; it names
 * what was tried and what happened, never what to do (that is `advice`).
 */
export class EtcdkeepError extends Error {
  readonly code: ErrorCode;
  readonly position: Position;
  readonly facts: readonly (readonly [noun: string, text: string])[];
  readonly advice: string;
  readonly retryable: boolean;
  readonly exitCode: number;
  /** What the failure left behind, once the use case has cleaned up after it. */
  aftermath: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { facts, advice, cause, ...position } = details;
    super(message, cause === undefined ? undefined : { cause });
    const meaning = ERROR_CODES[code];
    this.name = 'EtcdkeepError';
    this.code = code;
    this.position = position;
    this.facts = facts ?? [];
    this.advice = advice ?? meaning.advice;
    this.retryable = meaning.retryable;
    this.exitCode = meaning.exit;
  }
}

/** The text of anything that was thrown. */
export function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

/** The errno name (`ENOENT`) or the TLS code of a Node error, else undefined. */
export function systemCodeOf(reason: unknown): string | undefined {
  if (typeof reason !== 'object' || reason === null || !('code' in reason)) return undefined;
  return typeof reason.code === 'string' ? reason.code : undefined;
}

const FILE_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EACCES: 'target-unwritable',
  EPERM: 'target-unwritable',
  EROFS: 'target-unwritable',
  ENOTDIR: 'target-unwritable',
  ENOENT: 'target-unwritable',
  EISDIR: 'target-unwritable',
  ENAMETOOLONG: 'target-unwritable',
  EEXIST: 'target-exists',
};

const FILE_REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on the file system',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'the operation is not permitted',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is not a directory',
  ENOENT: 'there is no such file or directory',
  EISDIR: 'it is a directory',
  ENAMETOOLONG: 'the name is too long',
  EEXIST: 'a file of that name exists',
};

/**
 * The error of a file that could not be written.
 * @param operation what was being done, as in "cannot <operation>"
 */
export function writeError(reason: unknown, operation: string, path: string): EtcdkeepError {
  return fileError(reason, operation, path, FILE_CODES[systemCodeOf(reason) ?? '']);
}

/** The error of a file that could not be read; its code is always `file-failed`. */
export function readError(reason: unknown, operation: string, path: string): EtcdkeepError {
  return fileError(reason, operation, path, undefined);
}

function fileError(
  reason: unknown,
  operation: string,
  path: string,
  code: ErrorCode = 'file-failed',
): EtcdkeepError {
  if (reason instanceof EtcdkeepError) return reason;
  const why = FILE_REASONS[systemCodeOf(reason) ?? ''] ?? messageOf(reason);
  return new EtcdkeepError(code, `cannot ${operation}: ${why}`, { path, cause: reason });
}
