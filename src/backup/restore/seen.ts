// An answer, or why there is none: unknown is said as unknown.

import { EtcdkeepError } from '../../base/errors.ts';

/** What was seen, or why it could not be; `isForbidden` if whoever asks may not ask that. */
export type Seen<T> =
  | { readonly seen: T }
  | { readonly unknown: string; readonly isForbidden?: true };

/** What a question came to. */
export function seen<T>(answer: T | EtcdkeepError): Seen<T> {
  if (!(answer instanceof EtcdkeepError)) return { seen: answer };
  const { message: unknown, code } = answer;
  return code === 'api-forbidden' ? { unknown, isForbidden: true } : { unknown };
}

/** Asks. What it fails with is why it is unknown; the signal's reason goes on. */
export async function ask<T>(question: () => Promise<T>): Promise<Seen<T>> {
  return seen(await question().catch(onlyOurs));
}

/** An error as an answer. @throws what is none of ours, or the end of the run */
export function onlyOurs(reason: unknown): EtcdkeepError {
  if (reason instanceof EtcdkeepError && reason.exitCode < 128) return reason;
  throw reason;
}
