// Flags that every command, or every command that transfers a snapshot, has.

import type { TransferLimits } from '../backup/save.ts';
import { parseBytes, parseDuration } from './parse.ts';

export interface OutputFlags {
  readonly output: 'text' | 'json';
  readonly quiet: boolean;
}

export const OUTPUT_FLAGS = {
  output: {
    kind: 'enum',
    values: ['text', 'json'],
    default: 'text',
    brief: 'json: one document on stdout (docs/json.md)',
  },
  quiet: {
    kind: 'boolean',
    default: false,
    withNegated: false,
    brief: 'print the answer only',
  },
} as const;

export interface TransferFlags {
  readonly idleTimeout: number;
  readonly rateLimit?: number;
}

export const TRANSFER_FLAGS = {
  idleTimeout: {
    kind: 'parsed',
    parse: parseDuration,
    default: '30s',
    placeholder: 'duration',
    brief: 'longest silence of the member during the snapshot',
  },
  rateLimit: {
    kind: 'parsed',
    parse: parseBytes,
    optional: true,
    placeholder: 'size',
    brief: 'most bytes a second, such as 50MB',
  },
} as const;

/** The limits of a transfer; a whole snapshot is timed only if --command-timeout is given. */
export function transferLimits(
  flags: TransferFlags,
  commandTimeoutMs: number | undefined,
): TransferLimits {
  return {
    idleTimeoutMs: flags.idleTimeout,
    timeoutMs: commandTimeoutMs,
    rateLimit: flags.rateLimit,
  };
}
