import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Transform } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { zstdCompressSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { EtcdkeepError } from '../../base/errors.ts';
import { temporaryDirectory } from '../../controlplane/host.fixture.ts';
import { LocalShell } from '../../controlplane/local-shell.fixture.ts';
import type { NodeShell, RunningCommand } from '../../controlplane/node-shell.ts';
import { type FetchRequest, fetchFile } from './fetch-file.ts';
import { PACKED } from './send-file.ts';

const EXECUTABLE = fileURLToPath(new URL('../../../bin/etcdkeep', import.meta.url));
const MIB = 1 << 20;

let place: string;
beforeEach(async () => {
  place = await temporaryDirectory();
});

/** What is asked for of a file of the node with this content. */
function requestFor(content: Buffer, wishes: Partial<FetchRequest> = {}): FetchRequest {
  const from = join(place, "of the node's");
  writeFileSync(from, content);
  return {
    shell: new LocalShell(),
    executable: EXECUTABLE,
    from,
    to: join(place, 'at home'),
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    progress: () => undefined,
    interrupted: (reason) => {
      throw reason;
    },
    signal: new AbortController().signal,
    ...wishes,
  };
}

const failure = (request: FetchRequest): Promise<unknown> =>
  fetchFile(request).catch((reason: unknown) => reason);

/** A connection that others have cut off. */
const cutOff = (): EtcdkeepError => new EtcdkeepError('exec-broken', 'the connection broke');

interface Cut {
  /** After so many bytes of each connection. */
  readonly after: number;
  readonly times: number;
  readonly reason: Error;
  /** How the stream ends: with the error, or as if that were all. */
  readonly stdout: 'destroyed' | 'ended';
}

/**
 * A mock of a connection that breaks, which on one machine none does: the first ones end before the command, in the manner of
 * RunningCommand.
 */
function breakingShell({ after, times, reason, stdout: end }: Cut) {
  const local = new LocalShell();
  const commands: (readonly string[])[] = [];
  const run: NodeShell['run'] = async (command, options): Promise<RunningCommand> => {
    commands.push(command);
    const running = await local.run(command, options);
    if (commands.length > times) return running;
    const broken = Promise.withResolvers<number>();
    broken.promise.catch(() => undefined);
    let left = after;
    const stdout = new Transform({
      transform(chunk: Buffer, _, done) {
        const part = chunk.subarray(0, left);
        left -= part.length;
        if (part.length > 0) this.push(part);
        if (left === 0) finish();
        done();
      },
    });
    const finish = (): void => {
      // What was passed on arrives before the end does.
      setImmediate(() => {
        broken.reject(reason);
        if (end === 'destroyed') stdout.destroy(reason);
        else stdout.push(null);
        running.stdout.destroy();
      });
    };
    if (after === 0) finish();
    running.stdout.pipe(stdout);
    return { ...running, stdout, exit: broken.promise };
  };
  return { shell: { way: 'a mock', run }, commands };
}

describe('a file', () => {
  it.each([
    ['none', Buffer.alloc(0)],
    ['one', Buffer.of(7)],
    ['5 MiB at random', randomBytes(5 * MIB)],
    ['5 MiB and 3 at random', randomBytes(5 * MIB + 3)],
    ['5 MiB that pack well', Buffer.alloc(5 * MIB, 'etcdkeep')],
  ])('comes whole, for its owner only: of bytes %s', async (_, content) => {
    const counts: number[] = [];
    const request = requestFor(content, { progress: (bytes) => counts.push(bytes) });
    await fetchFile(request);
    expect(readFileSync(request.to).equals(content)).toBe(true);
    expect(statSync(request.to).mode & 0o777).toBe(0o600);
    expect(counts.at(-1) ?? 0).toBe(content.length);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  });

  it('does not come over one that is there', async () => {
    const request = requestFor(Buffer.from('new'));
    writeFileSync(request.to, 'old');
    expect(await failure(request)).toMatchObject({ code: 'target-exists' });
    expect(readFileSync(request.to, 'utf8')).toBe('old');
  });

  it('that is not there: as the command on the node says', async () => {
    const reason = await failure({ ...requestFor(Buffer.from('text')), from: join(place, 'none') });
    expect(reason).toMatchObject({
      code: 'node-command-failed',
      message: expect.stringContaining('cannot read the backup on the node') as string,
    });
  });
});

describe('a file that is another one now', () => {
  const content = randomBytes(3 * MIB);
  const changed = Buffer.from(content);
  changed[2 * MIB]! ^= 1;
  it.each([
    ['its SHA-256 is not that of the node', changed],
    ['it is longer than the node has said', Buffer.concat([content, Buffer.of(0)])],
    ['it is longer than the node has said', randomBytes(8 * MIB)],
    ['it is shorter than the node has said', content.subarray(0, -1)],
    ['it is shorter than the node has said', Buffer.alloc(0)],
  ])('%s', async (why, now) => {
    // What is missing may have been lost on the way: it is asked for once more.
    const request = requestFor(content, { interrupted: () => undefined });
    writeFileSync(request.from, now);
    const reason = await failure(request);
    expect(reason).toMatchObject({ code: 'transfer-damaged', position: { path: request.to } });
    expect((reason as Error).message).toContain(why);
  });
});

describe('a connection that breaks', () => {
  const content = randomBytes(3 * MIB);

  it.each([
    ['destroyed', 'exec-broken'],
    ['ended', 'exec-broken'],
    ['ended', 'ssh-failed'],
  ] as const)(
    'is made anew, and the file gone on with: the stream is %s, %s',
    async (stdout, code) => {
      const reason = new EtcdkeepError(code, 'the connection broke');
      const { shell, commands } = breakingShell({ after: 1.5 * MIB, times: 1, reason, stdout });
      const told: unknown[] = [];
      const interrupted = (...words: unknown[]): void => void told.push(words);
      const request = requestFor(content, { shell, interrupted });
      await fetchFile(request);
      expect(readFileSync(request.to).equals(content)).toBe(true);
      const [[, already] = []] = told as [unknown, number][];
      expect(told).toEqual([[reason, already]]);
      expect(already).toBeGreaterThan(0);
      expect(commands.map((words) => words.at(-1))).toEqual(['--offset=0', `--offset=${already}`]);
    },
  );

  it('before anything has come, and again: it is told once', async () => {
    const cut = { after: 0, times: 2, reason: cutOff(), stdout: 'destroyed' } as const;
    const { shell, commands } = breakingShell(cut);
    const told: unknown[] = [];
    const interrupted = (...words: unknown[]): void => void told.push(words);
    const request = requestFor(content, { shell, interrupted });
    await fetchFile(request);
    expect(readFileSync(request.to).equals(content)).toBe(true);
    expect(commands.map((words) => words.at(-1))).toEqual(Array(3).fill('--offset=0'));
    expect(told).toEqual([[cut.reason, 0]]);
  });

  it.each([
    new EtcdkeepError('exec-failed', 'cannot run a command in the pod'),
    new EtcdkeepError('interrupted', 'stopped by SIGINT'),
  ])('is not made anew for another reason: $code', async (reason) => {
    const { shell } = breakingShell({ after: MIB, times: 1, reason, stdout: 'destroyed' });
    expect(await failure(requestFor(content, { shell }))).toBe(reason);
  });

  it('is not made anew once it is to stop', async () => {
    const cut = { after: MIB, times: 9, reason: cutOff(), stdout: 'destroyed' } as const;
    const { shell, commands } = breakingShell(cut);
    const controller = new AbortController();
    const stop = new EtcdkeepError('interrupted', 'stopped by SIGINT');
    const interrupted = (): void => controller.abort(stop);
    const { signal } = controller;
    expect(await failure(requestFor(content, { shell, interrupted, signal }))).toBe(stop);
    expect(commands).toHaveLength(1);
  });
});

describe('a command that never ends (a mock)', () => {
  const endless = (stdout: PassThrough): NodeShell => ({
    way: 'a mock',
    run: () =>
      Promise.resolve({
        stdin: undefined,
        stdout,
        stderr: new PassThrough(),
        exit: new Promise<number>(() => undefined),
      }),
  });

  it('is not waited for when what came is no good', async () => {
    const stdout = new PassThrough();
    const content = Buffer.from('text');
    stdout.write(Buffer.of(PACKED));
    stdout.write(zstdCompressSync(Buffer.from('a longer text')));
    const reason = await failure(requestFor(content, { shell: endless(stdout) }));
    expect(reason).toMatchObject({ code: 'transfer-damaged' });
  });
});

it('says of bytes that are not packed that they are damaged', async () => {
  const executable = join(place, 'stand-in');
  writeFileSync(executable, '#!/bin/sh\necho text\n', { mode: 0o700 });
  const reason = await failure(requestFor(Buffer.from('text'), { executable }));
  expect(reason).toMatchObject({ code: 'transfer-damaged' });
});
