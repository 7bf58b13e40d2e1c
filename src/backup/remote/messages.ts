// What a run on a node tells the workstation that has started it: one JSON document a line, by the same version of etcdkeep
// at both ends.

import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from '../../base/error-codes.ts';
import { EtcdkeepError, messageOf, type Position } from '../../base/errors.ts';
import type { BackupRecord } from '../../record/schema.ts';
import type { BackupFiles } from '../../record/stamp.ts';
import type { CheckedHost } from '../check.ts';
import type { BackupEvent } from '../events.ts';
import type { Snapshot } from '../save.ts';

/** What a finished backup on a node is, as far as others have to know. */
export interface NodeBackup {
  readonly files: BackupFiles;
  readonly snapshot: Snapshot;
  readonly record: BackupRecord;
}

export type NodeMessage =
  | { readonly kind: 'event'; readonly event: BackupEvent }
  | { readonly kind: 'done'; readonly backup: NodeBackup }
  | { readonly kind: 'checked'; readonly host: CheckedHost }
  | { readonly kind: 'failed'; readonly error: SentError };

interface SentError {
  readonly code: string;
  readonly message: string;
  readonly advice: string;
  readonly facts: readonly (readonly [string, string])[];
  readonly position: Position;
}

/** JSON has no 64-bit numbers; no object of ours has a field of this name. */
const INTEGER = '$integer';

const integer = z.strictObject({ [INTEGER]: z.string().regex(/^-?\d{1,20}$/) });
const schema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('event'), event: z.looseObject({ kind: z.string() }) }),
  z.object({ kind: z.literal('done'), backup: z.looseObject({}) }),
  z.object({ kind: z.literal('checked'), host: z.looseObject({}) }),
  z.object({
    kind: z.literal('failed'),
    error: z.object({
      code: z.string(),
      message: z.string(),
      advice: z.string(),
      facts: z.array(z.tuple([z.string(), z.string()])),
      position: z.looseObject({}),
    }),
  }),
]);

/** @returns the line, without its end */
export function encodeMessage(message: NodeMessage): string {
  return JSON.stringify(message, (_, value: unknown) =>
    typeof value === 'bigint' ? { [INTEGER]: `${value}` } : value,
  );
}

/** @returns undefined if it is none: something else has written there */
export function decodeMessage(line: string): NodeMessage | undefined {
  try {
    const parsed = schema.safeParse(
      JSON.parse(line, (_, value: unknown) => {
        const { success, data } = integer.safeParse(value);
        return success ? BigInt(data[INTEGER]) : value;
      }),
    );
    return parsed.success ? (parsed.data as unknown as NodeMessage) : undefined;
  } catch {
    return undefined;
  }
}

/** An error as it is sent. */
export function sentError(reason: unknown): SentError {
  if (!(reason instanceof EtcdkeepError)) {
    return { code: 'internal', message: messageOf(reason), advice: '', facts: [], position: {} };
  }
  const { code, message, advice, facts, position } = reason;
  return { code, message, advice, facts, position };
}

/** The error as it was on the node. @param node its name, which the error is shown with */
export function receivedError(error: SentError, node: string): EtcdkeepError {
  const { code, message, advice, facts, position } = error;
  const details = { ...position, facts: [['node', node] as const, ...facts] };
  if (Object.hasOwn(ERROR_CODES, code)) {
    return new EtcdkeepError(code as ErrorCode, message, { ...details, advice });
  }
  return new EtcdkeepError(
    'node-command-failed',
    `etcdkeep failed on the node: ${message}`,
    details,
  );
}
