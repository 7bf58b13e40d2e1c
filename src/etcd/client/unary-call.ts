// One request, one answer: a unary gRPC call over a connection of ours.

import http2 from 'node:http2';
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { EtcdkeepError, messageOf } from '../../base/errors.ts';
import { type CallEnding, watchEnding } from './call-ending.ts';
import type { Connection } from './connection.ts';
import { statusError } from './rpc-error.ts';

export interface UnaryOptions {
  /** The request in words, as in "cannot <what>". */
  readonly what: string;
  /** Sent as etcd's `token` metadata when authentication is on. */
  readonly token: string | undefined;
  /** The longest time for the answer, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Of the answer, in bytes; ANSWER_BYTES_MAX if undefined. */
  readonly answerBytesMax?: number | undefined;
}

// gRPC over HTTP/2: one byte of flags (1 = compressed) and four of length before each message.
const PREFIX_BYTES = 5;

/** Far more than the longest answer whose length is not known before. */
const ANSWER_BYTES_MAX = 16 << 20;

/**
 * Makes a unary call.
 * @throws EtcdkeepError `request-timed-out`, `connection-lost`, `response-invalid`, and the codes
 *   under "What a member answers"; the signal's reason
 */
export async function unaryCall<I extends DescMessage, O extends DescMessage>(
  connection: Connection,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  options: UnaryOptions,
): Promise<MessageShape<O>> {
  options.signal.throwIfAborted();
  const message = toBinary(method.input, create(method.input, request));
  const answer = await exchange(connection, pathOf(method), message, options);
  try {
    return fromBinary(method.output, answer);
  } catch (reason) {
    throw invalid(connection, options, `its answer cannot be parsed: ${messageOf(reason)}`);
  }
}

function pathOf(method: DescMethodUnary): string {
  return `/${method.parent.typeName}/${method.name}`;
}

async function exchange(
  connection: Connection,
  path: string,
  message: Uint8Array,
  options: UnaryOptions,
): Promise<Uint8Array> {
  const { token, timeoutMs, signal, answerBytesMax = ANSWER_BYTES_MAX } = options;
  const stream = connection.request(path, token === undefined ? {} : { token });
  const failures: unknown[] = [];
  const giveUp = (reason: unknown): void => {
    failures.push(reason);
    stream.close(http2.constants.NGHTTP2_CANCEL);
  };
  const timer = setTimeout(() => giveUp(noAnswer(connection, options)), timeoutMs);
  const onAbort = (): void => giveUp(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const pieces: Buffer[] = [];
  let length = 0;
  stream.on('data', (bytes: Buffer) => {
    length += bytes.length;
    if (length <= answerBytesMax) pieces.push(bytes);
    else giveUp(invalid(connection, options, 'its answer is too long'));
  });
  stream.end(Buffer.concat([prefixOf(message), message]));
  const ending = await watchEnding(stream);
  clearTimeout(timer);
  signal.removeEventListener('abort', onAbort);
  if (failures.length > 0) throw failures[0] as Error;
  judge(connection, ending, options);
  return unwrap(connection, Buffer.concat(pieces), options);
}

function prefixOf(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return prefix;
}

function judge(connection: Connection, ending: CallEnding, options: UnaryOptions): void {
  const { status, message, foreign, streamError } = ending;
  if (status === 0) return;
  if (foreign !== undefined) throw invalid(connection, options, foreign);
  const endpoint = connection.endpoint.url;
  if (status !== undefined) throw statusError(status, message, options.what, endpoint);
  throw (
    connection.failure ??
    new EtcdkeepError(
      'connection-lost',
      `cannot ${options.what}: the connection broke before the answer was whole`,
      { endpoint, cause: streamError },
    )
  );
}

/** Takes the one message out of its frame. */
function unwrap(connection: Connection, frame: Buffer, options: UnaryOptions): Uint8Array {
  const isWhole =
    frame.length >= PREFIX_BYTES && frame.readUInt32BE(1) === frame.length - PREFIX_BYTES;
  if (!isWhole || frame[0] !== 0) {
    throw invalid(connection, options, 'its answer is not one uncompressed message');
  }
  return frame.subarray(PREFIX_BYTES);
}

function noAnswer(connection: Connection, { what, timeoutMs }: UnaryOptions): EtcdkeepError {
  return new EtcdkeepError(
    'request-timed-out',
    `cannot ${what}: no answer for ${timeoutMs / 1000} s`,
    { endpoint: connection.endpoint.url },
  );
}

function invalid(connection: Connection, { what }: UnaryOptions, why: string): EtcdkeepError {
  return new EtcdkeepError('response-invalid', `cannot ${what}: ${why}`, {
    endpoint: connection.endpoint.url,
  });
}
