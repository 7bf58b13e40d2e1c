// Brings a file home from a node: compressed on the way where that is worth it, hashed as it arrives, and gone on with where it was when the
// connection breaks.

import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { finished, pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createZstdDecompress } from 'node:zlib';
import type { ErrorCode } from '../../base/error-codes.ts';
import { EtcdkeepError, systemCodeOf, writeError } from '../../base/errors.ts';
import { type NodeShell, nodeCommandFailed } from '../../controlplane/node-shell.ts';
import { JoinedPieces, PIECE_BYTES } from './joined-pieces.ts';
import { PACKED, PLAIN } from './send-file.ts';

export interface FetchRequest {
  readonly shell: NodeShell;
  /** etcdkeep on the host. */
  readonly executable: string;
  /** On the host. */
  readonly from: string;
  /** Must not exist. */
  readonly to: string;
  readonly bytes: number;
  /** SHA-256 of the file as the node has computed it, hex. */
  readonly sha256: string;
  readonly progress: (bytes: number) => void;
  /** The connection broke, and is tried again. Heard once, for as long as nothing else comes of trying. */
  readonly interrupted: (reason: EtcdkeepError, bytes: number) => void;
  readonly signal: AbortSignal;
}

/** For so long nothing may come, connections made anew included. */
const PATIENCE_MS = 120_000;
const RETRY_MS = 2000;

/** zlib's word for a stream that is sound as far as it goes. */
const UNFINISHED = 'Z_BUF_ERROR';
const LOST_END = 'the connection to the node broke: the end of what it has sent did not arrive';

/** What a shell says of a connection that has ended, or cannot be made. */
const BROKEN: readonly ErrorCode[] = ['exec-broken', 'api-unreachable', 'ssh-failed'];

/**
 * Fetches it, and syncs it.
 * @throws EtcdkeepError `transfer-damaged` if it is not what the node has; `exec-broken`, `api-unreachable`, `ssh-failed`,
 * `exec-failed`, `node-command-failed`; `disk-full`, `target-unwritable`, `file-failed`; the signal's reason
 */
export async function fetchFile(request: FetchRequest): Promise<void> {
  const { to, bytes, signal } = request;
  const file = await open(to, 'wx', 0o600).catch((reason: unknown) => {
    throw writeError(reason, 'create the file', to);
  });
  try {
    const arrival = new Arrival(file, request);
    let heard = performance.now();
    let told = '';
    for (let before = 0; arrival.bytes < bytes; before = arrival.bytes) {
      try {
        await receive(request, arrival);
      } catch (reason) {
        signal.throwIfAborted();
        if (!isBroken(reason)) throw reason;
        if (arrival.bytes > before) heard = performance.now();
        if (performance.now() - heard > PATIENCE_MS) throw reason;
        if (arrival.bytes > before || reason.message !== told) {
          request.interrupted(reason, arrival.bytes);
        }
        told = reason.message;
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
        signal.throwIfAborted();
      }
    }
    arrival.demandDigest();
    await file.sync().catch((reason: unknown) => {
      throw writeError(reason, 'sync the file', to);
    });
  } finally {
    await file.close();
  }
}

/** The file here, as far as it has come. */
class Arrival {
  bytes = 0;
  readonly #file: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  readonly #request: FetchRequest;

  constructor(file: FileHandle, request: FetchRequest) {
    this.#file = file;
    this.#request = request;
  }

  async write(chunk: Buffer): Promise<void> {
    const { to, bytes, progress } = this.#request;
    if (this.bytes + chunk.length > bytes) throw damaged('it is longer than the node has said', to);
    let written = 0;
    while (written < chunk.length) {
      const rest = chunk.subarray(written);
      written += await this.#file.write(rest).then(
        ({ bytesWritten }) => bytesWritten,
        (reason: unknown) => {
          throw writeError(reason, 'write the file', to);
        },
      );
    }
    this.#hash.update(chunk);
    this.bytes += chunk.length;
    progress(this.bytes);
  }

  demandDigest(): void {
    const { sha256, to } = this.#request;
    if (this.#hash.digest('hex') !== sha256)
      throw damaged('its SHA-256 is not that of the node', to);
  }
}

/** One connection, from where the file has come to. */
async function receive(request: FetchRequest, arrival: Arrival): Promise<void> {
  const { shell, executable, from, to, bytes } = request;
  const command = [executable, 'node-agent', 'send', from, `--offset=${arrival.bytes}`];
  const running = await shell.run(command, { hasStdin: false });
  const before = arrival.bytes;
  const ended = Promise.all([text(running.stderr), running.exit]);
  // It is waited for once all has come; what fails here does not wait for it.
  ended.catch(() => undefined);
  const way = await store(running.stdout, arrival).then(
    () => 'whole' as const,
    (reason: unknown) => {
      if (reason instanceof EtcdkeepError) throw reason;
      // No frame of zstd to its end. Why it is none is said by how the command has ended.
      return systemCodeOf(reason) === UNFINISHED ? 'cut off' : 'damaged';
    },
  );
  const [stderr, code] = await ended;
  if (code !== 0) throw nodeCommandFailed('read the backup', code, stderr);
  if (way === 'damaged') throw damaged('what came cannot be unpacked', to);
  if (arrival.bytes === bytes) return;
  // The command has ended well: either that is all there is, or the end of what it printed was lost.
  if (arrival.bytes > before) throw new EtcdkeepError('exec-broken', LOST_END);
  throw damaged('it is shorter than the node has said', to);
}

/** @throws what the stream is destroyed with, zlib's errors, and as `Arrival.write` */
async function store(stdout: Readable, arrival: Arrival): Promise<void> {
  const kind = await firstByte(stdout);
  const write = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) await arrival.write(chunk);
  };
  if (kind === PLAIN) await pipeline(stdout, new JoinedPieces(), write);
  else if (kind === PACKED) {
    const unpack = createZstdDecompress({ chunkSize: PIECE_BYTES });
    await pipeline(stdout, new JoinedPieces(), unpack, write);
  } else {
    stdout.resume();
    if (kind !== undefined) throw new Error('it is nothing of ours');
  }
}

/** @returns undefined if it ends before */
async function firstByte(stream: Readable): Promise<number | undefined> {
  const ended = finished(stream, { writable: false }).then(() => true);
  ended.catch(() => undefined);
  for (;;) {
    const first = stream.read(1) as Buffer | null;
    if (first !== null) return first[0];
    const readable = new Promise<false>((resolve) => stream.once('readable', () => resolve(false)));
    if (stream.readableEnded || (await Promise.race([readable, ended]))) return undefined;
  }
}

function isBroken(reason: unknown): reason is EtcdkeepError {
  if (!(reason instanceof EtcdkeepError)) return false;
  return BROKEN.includes(reason.code);
}

function damaged(why: string, path: string): EtcdkeepError {
  return new EtcdkeepError(
    'transfer-damaged',
    `the file did not arrive as it is on the node: ${why}`,
    {
      path,
    },
  );
}
