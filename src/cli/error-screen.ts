// An error as a person reads it: what happened, what is known, what to do, what it cost.

import { EtcdkeepError, messageOf } from '../base/errors.ts';

const NOUN_WIDTH = 12;

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
    ['cause', error.cause === undefined ? undefined : causeOf(error)],
    ['do', error.advice],
  ];
  const lines = rows
    .filter((row): row is readonly [string, string] => row[1] !== undefined)
    .map(([noun, text]) => `  ${noun.padEnd(NOUN_WIDTH)}${text}`);
  return [
    `Error: ${error.message} (${error.code})`,
    ...lines,
    `  ${'more'.padEnd(NOUN_WIDTH)}docs/errors.md#${error.code}`,
  ].join('\n');
}

/** The cause's message, unless the error's own message already says it. */
function causeOf(error: EtcdkeepError): string | undefined {
  const text = messageOf(error.cause).trim();
  return error.message.includes(text) ? undefined : text;
}

/** An error as `--output json` gives it, on stdout like every answer. */
export function errorDocument(error: unknown): unknown {
  if (!(error instanceof EtcdkeepError)) {
    return { error: { code: 'internal', message: messageOf(error) } };
  }
  const { code, message, advice, retryable, position, facts } = error;
  const { revision, ...rest } = position;
  return {
    error: {
      code,
      message,
      advice,
      retryable,
      ...rest,
      ...(revision === undefined ? {} : { revision: revision.toString() }),
      ...(facts.length === 0 ? {} : { facts: Object.fromEntries(facts) }),
    },
  };
}
