// How a gRPC call over HTTP/2 ends. The status comes in the headers if there is nothing else (as a
// plain port of etcd sends an error), else in the trailers behind the body (as a TLS port does), and
// not at all when the stream was cut: HTTP/2 itself may call that a good end.

import type http2 from 'node:http2';

export interface CallEnding {
  /** gRPC status, 0 for success; NaN for what is no status; undefined if none came. */
  readonly status: number | undefined;
  /** The member's words to a status other than 0. */
  readonly message: string;
  /** What is wrong with an answer that does not come from a gRPC server, but from a proxy perhaps. */
  readonly foreign: string | undefined;
  /** What Node says of a stream that was reset. */
  readonly streamError: unknown;
}

/** Listens to a stream from its start on, and tells how it ended once it is closed. */
export function watchEnding(stream: http2.ClientHttp2Stream): Promise<CallEnding> {
  let headers: http2.IncomingHttpHeaders = {};
  let foreign: string | undefined;
  let streamError: unknown;
  stream.on('response', (received) => {
    headers = received;
    if (received['grpc-status'] === undefined) foreign = foreignAnswer(received);
    // A web page is of no use, however long it is.
    if (foreign !== undefined) stream.close();
  });
  stream.on('trailers', (received: http2.IncomingHttpHeaders) => {
    headers = { ...headers, ...received };
  });
  // The close that follows is what ends the call; without a listener Node would throw.
  stream.on('error', (reason: unknown) => (streamError = reason));
  return new Promise((resolve) => {
    stream.on('close', () =>
      resolve({
        status: parseStatus(headers['grpc-status']),
        message: decodeMessage(String(headers['grpc-message'] ?? '')),
        foreign,
        streamError,
      }),
    );
  });
}

function foreignAnswer(
  headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader,
): string | undefined {
  const { ':status': status, 'content-type': contentType = 'no content type' } = headers;
  const encoding = headers['grpc-encoding'] ?? 'identity';
  if (status !== 200) return `the endpoint answered with HTTP status ${String(status)}`;
  if (!contentType.startsWith('application/grpc')) {
    return `the endpoint answered with ${contentType}, which is not gRPC`;
  }
  if (encoding === 'identity') return undefined;
  return `the endpoint answered with encoding ${String(encoding)}, which was not offered`;
}

function parseStatus(status: string | string[] | undefined): number | undefined {
  if (status === undefined) return undefined;
  return /^\d+$/.test(String(status)) ? Number(status) : Number.NaN;
}

/** grpc-message is percent-encoded; what is malformed is shown as it is (gRPC over HTTP/2, "Responses"). */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
