// Scripts of the fault server: how a member answers Maintenance.Snapshot, well and badly.
import http2 from 'node:http2';
import type { Answer, Call } from './fault-server.ts';
import { encodeMessage, type SnapshotMessage, snapshotMessages } from './snapshot-messages.ts';

export const GRPC_HEADERS = { ':status': 200, 'content-type': 'application/grpc' };
export const STATUS_OK = { 'grpc-status': '0', 'grpc-message': '' };

/** Answers with messages, then does whatever `finish` does. */
export function sends(messages: Iterable<SnapshotMessage | Buffer>, finish: Answer): Answer {
  return async (call) => {
    // With trailers announced, the end of the data is not the end of the stream.
    call.stream.respond(GRPC_HEADERS, { waitForTrailers: true });
    for (const message of messages) {
      if (call.stream.destroyed) return;
      await write(call, Buffer.isBuffer(message) ? message : encodeMessage(message));
    }
    await finish(call);
  };
}

/** Ends the stream with a gRPC status in real trailers, as etcd does. */
export function endsWith(trailers: http2.OutgoingHttpHeaders): Answer {
  return ({ stream }) => {
    stream.once('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end();
  };
}

/** Ends the stream well. */
export const endsWell = endsWith(STATUS_OK);

/** END_STREAM without trailers: what a TLS port of etcd does when it is stopped in mid-stream. */
export const endsBare: Answer = ({ stream }) => {
  stream.once('wantTrailers', () => stream.close(http2.constants.NGHTTP2_NO_ERROR));
  stream.end();
};

/** Nothing more comes. */
export const stalls: Answer = () => undefined;

export const resets: Answer = ({ stream }) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);

/** The connection is closed as by a process that ends. */
export const hangsUp: Answer = ({ socket }) => void socket.destroy();

/** The connection is reset as by a process that is killed with bytes unread, or by a firewall. */
export const resetsConnection: Answer = ({ socket }) => void socket.resetAndDestroy();

/** An answer of headers alone: where the plain port of etcd puts the status of an error. */
export function answersHeaders(headers: http2.OutgoingHttpHeaders): Answer {
  return ({ stream }) => stream.respond({ ...GRPC_HEADERS, ...headers }, { endStream: true });
}

/** A proxy's own page instead of an answer. */
export function answersPage(status: number, contentType = 'text/html'): Answer {
  return ({ stream }) => {
    stream.respond({ ':status': status, 'content-type': contentType });
    stream.end('<html><body>Bad Gateway</body></html>');
  };
}

/** A whole snapshot, sent well. */
export function sendsSnapshot(database: Uint8Array, version = '3.6.0'): Answer {
  return sends(snapshotMessages(database, version), endsWell);
}

/** Settled once the bytes are under way, or can't be sent any more. */
function write({ stream }: Call, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => void stream.write(bytes, () => resolve()));
}
