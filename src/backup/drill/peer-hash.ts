// HashKV of a member as its peers ask for it: over the port of peers, which answers as soon as a member has joined. The
// one for clients waits for some seconds more, until the member has announced itself.
// Source: etcd, server/etcdserver/corrupt.go (hashKVHandler, HashByRev).

import { request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface PeerHash {
  readonly hash: number;
  readonly compactRevision: bigint;
}

interface Answer {
  readonly hash?: unknown;
  readonly compact_revision?: unknown;
}

const HASH_PATH = '/members/hashkv';

/**
 * Asks a peer once.
 * @param socketPath that it listens on for peers
 * @returns undefined as long as it does not answer, or has not come to that revision
 * @throws the signal's reason
 */
export async function askPeerHash(
  socketPath: string,
  revision: bigint,
  signal: AbortSignal,
): Promise<PeerHash | undefined> {
  try {
    const { status, body } = await get(socketPath, `{"revision":${revision}}`, signal);
    return status === 200 ? parse(body) : undefined;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** etcd sends this request as a GET with a body, too. */
async function get(
  socketPath: string,
  question: string,
  signal: AbortSignal,
): Promise<{ readonly status: number | undefined; readonly body: string }> {
  const headers = { 'content-type': 'application/json', 'content-length': question.length };
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly status: number | undefined;
    readonly body: string;
  }>();
  const asked = request({ socketPath, path: HASH_PATH, method: 'GET', headers, signal });
  asked.on('error', reject);
  asked.on('response', (response) => {
    text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
  });
  asked.end(question);
  return promise;
}

function parse(body: string): PeerHash | undefined {
  const { hash, compact_revision: compactRevision } = JSON.parse(body) as Answer;
  if (typeof hash !== 'number' || typeof compactRevision !== 'number') return undefined;
  return { hash, compactRevision: BigInt(compactRevision) };
}
