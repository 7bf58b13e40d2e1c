// An error as a person reads it: what happened, what is known, what to do, what it cost.

import { EtcdkeepError, messageOf } from '../base/errors.ts';
import { row } from './columns.ts';

/** Renders an error for stderr, without a line end at the end. */
export function renderError(error: unknown): string {
  if (!(error instanceof EtcdkeepError)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `Error: a defect of etcdkeep (internal)\n${stack}\nPlease report it, with the command line.`;
  }
  const { path, endpoint, offset, page, revision } = error.position;
  const rows: (readonly [string, string | undefined])[] = [
    ['file', path],
    ['endpoint', endpoint],
    ['page', page?.toString()],
    ['offset', offset === undefined ? undefined : `byte ${offset}`],
    ['revision', revision?.toString()],
    ...error.facts,
    // A cause of ours says more; one of the system's is in the message, in plain words.
    ['cause', error.cause instanceof EtcdkeepError ? error.cause.message : undefined],
    ['do', error.advice],
  ];
  const lines = rows
    .filter((row): row is readonly [string, string] => row[1] !== undefined)
    .map(([noun, text]) => `  ${row(noun, text)}`);
  return [
    `Error: ${error.message} (${error.code})`,
    ...lines,
    `  ${row('more', `docs/errors.md#${error.code}`)}`,
    ...(error.aftermath === undefined ? [] : [error.aftermath]),
  ].join('\n');
}

/** An error as `--output json` gives it, on stdout like every answer. */
export function errorDocument(error: unknown): { readonly error: unknown } {
  if (!(error instanceof EtcdkeepError)) {
    return { error: { code: 'internal', message: messageOf(error) } };
  }
  const { code, message, advice, retryable, position, facts, aftermath } = error;
  const { revision, ...rest } = position;
  return {
    error: {
      code,
      message,
      advice,
      retryable,
      ...rest,
      ...(revision === undefined ? {} : { revision: revision.toString() }),
      ...(aftermath === undefined ? {} : { aftermath }),
      ...(facts.length === 0 ? {} : { facts: Object.fromEntries(facts) }),
    },
  };
}
