import { describe, expect, it, vi } from 'vitest';
import {
  endsWell,
  hangsUp,
  resetsConnection,
  sends,
  sendsSnapshot,
  stalls,
} from '../faults/answers.ts';
import { startDeafRelay } from '../faults/deaf-relay.ts';
import { type Answer, type FaultServer, startFaultServer } from '../faults/fault-server.ts';
import {
  CHUNK_BYTES,
  encodeMessage,
  randomDatabase,
  snapshotMessages,
} from '../faults/snapshot-messages.ts';
import {
  CollectingSink,
  clientOptions,
  connect,
  errorOf,
  snapshotOptions,
  takeSnapshot,
} from './connect.ts';

const IDLE_MS = 300;
const SOON_MS = 3000;

const database = randomDatabase(1_000_000);
const whole = snapshotMessages(database, '3.6.0');
const half = whole.slice(0, 10);

const pause = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

const startMember = (snapshot: Answer): Promise<FaultServer> =>
  startFaultServer({ Snapshot: snapshot });

/** Until the member sees no connection any more. */
const closed = (server: FaultServer) =>
  vi.waitFor(() => expect(server.seen.open).toBe(0), { timeout: SOON_MS, interval: 5 });

/** Ends the stream well, and does something else a little later. */
const endsWellThen = (next: Answer, afterMs: number): Answer => {
  return async (call) => {
    await endsWell(call);
    setTimeout(() => void next(call), afterMs);
  };
};

describe('the sink', () => {
  it('is waited for, however long it takes', async () => {
    await using server = await startMember(sendsSnapshot(database));
    let pauses = 0;
    const sink = new CollectingSink(() => (pauses++ % 30 === 0 ? pause(2 * IDLE_MS) : undefined));
    await takeSnapshot(clientOptions(server.endpoint), sink, { idleTimeoutMs: IDLE_MS });
    expect(sink.bytes.equals(database)).toBe(true);
    expect(pauses).toBeGreaterThan(30);
  });

  it('is given at most 64 KiB while it asks for a pause', async () => {
    await using server = await startMember(sendsSnapshot(database));
    let since: number | undefined;
    let most = 0;
    const sink = new CollectingSink((receivedBytes) => {
      if (since !== undefined) {
        most = Math.max(most, receivedBytes - since);
        return undefined;
      }
      since = receivedBytes;
      return pause(10).then(() => (since = undefined));
    });
    await takeSnapshot(clientOptions(server.endpoint), sink);
    expect(sink.bytes.equals(database)).toBe(true);
    expect(most).toBeLessThanOrEqual(65_536);
  });

  it.each([
    ['closes the connection', hangsUp],
    ['resets the connection', resetsConnection],
  ])('gets all of a stream that ended well, though the member %s meanwhile', async (_, end) => {
    const answer = sends(whole, endsWellThen(end, 50));
    await using server = await startMember(answer);
    let writes = 0;
    const sink = new CollectingSink(() => {
      writes += 1;
      if (writes === 1) return pause(200);
      return writes % 10 === 0 ? pause(5) : undefined;
    });
    await takeSnapshot(clientOptions(server.endpoint), sink);
    expect(sink.bytes.equals(database)).toBe(true);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('disk full');
      },
    ],
    ['rejects', () => Promise.reject(new Error('disk full'))],
    ['rejects late', () => pause(50).then(() => Promise.reject(new Error('disk full')))],
  ])('fails the transfer if it %s', async (_, onWrite: () => Promise<void>) => {
    await using server = await startMember(sendsSnapshot(database));
    await expect(
      takeSnapshot(clientOptions(server.endpoint), new CollectingSink(onWrite)),
    ).rejects.toThrow('disk full');
    await closed(server);
  });
});

describe('the silence of the member', () => {
  it('is counted from the last byte', async () => {
    const answer: Answer = async (call) => {
      await sends(whole.slice(0, 1), stalls)(call);
      for (const message of whole.slice(1)) {
        await pause(20);
        call.stream.write(encodeMessage(message));
      }
      await endsWell(call);
    };
    await using server = await startMember(answer);
    const begin = performance.now();
    await takeSnapshot(clientOptions(server.endpoint), undefined, { idleTimeoutMs: IDLE_MS });
    expect(performance.now() - begin).toBeGreaterThan(1.5 * IDLE_MS);
  });

  it('is counted from the end of a pause of the sink', async () => {
    const answer: Answer = async (call) => {
      await sends(half, stalls)(call);
      await pause(1300);
      call.stream.write(Buffer.concat(whole.slice(half.length).map(encodeMessage)));
      await endsWell(call);
    };
    await using server = await startMember(answer);
    // With the last byte that has come: no other one starts the count anew.
    const sink = new CollectingSink((receivedBytes) =>
      receivedBytes === half.length * CHUNK_BYTES ? pause(800) : undefined,
    );
    await takeSnapshot(clientOptions(server.endpoint), sink, { idleTimeoutMs: 1000 });
    expect(sink.bytes.equals(database)).toBe(true);
  });
});

describe('limits', () => {
  it('the rate is kept', async () => {
    await using server = await startMember(sendsSnapshot(database));
    const bytesPerSecond = 1_000_000;
    const begin = performance.now();
    let ahead = 0;
    const sink = new CollectingSink((bytes) => {
      const seconds = (performance.now() - begin) / 1000;
      ahead = Math.max(ahead, bytes - seconds * bytesPerSecond);
      return undefined;
    });
    await takeSnapshot(clientOptions(server.endpoint), sink, { rateLimit: bytesPerSecond });
    // A tenth of a second at once, and two pieces that were under way.
    expect(ahead).toBeLessThan(0.1 * bytesPerSecond + 2 * 65_536);
    expect(performance.now() - begin).toBeGreaterThan(800);
  });

  it('the silence while the rate is waited for is no fault of the member', async () => {
    const small = randomDatabase(3 * CHUNK_BYTES);
    await using server = await startMember(sendsSnapshot(small));
    const sink = new CollectingSink();
    // Each wait is three times as long as the member may be silent.
    const limits = { rateLimit: CHUNK_BYTES / 1.5, idleTimeoutMs: 500 };
    await takeSnapshot(clientOptions(server.endpoint), sink, limits);
    expect(sink.bytes.equals(small)).toBe(true);
  });

  it('the time for all of it is up while bytes still come', async () => {
    await using server = await startMember(sendsSnapshot(database));
    const limits = { rateLimit: 100_000, timeoutMs: 300 };
    const error = await errorOf(takeSnapshot(clientOptions(server.endpoint), undefined, limits));
    expect(error.code).toBe('request-timed-out');
    expect(error.message).toMatch(/longer than 0\.3 s and was at .* of 1\.00 MB$/);
    await closed(server);
  });
});

describe('an abort', () => {
  const reason = new Error('SIGINT');

  it.each<[string, Answer]>([
    ['before an answer', stalls],
    ['in mid-stream', sends(half, stalls)],
    ['with all of it in the buffer', sendsSnapshot(database)],
    ['behind the end of the connection', sends(whole, endsWellThen(hangsUp, 20))],
  ])('%s rejects with its reason, though the sink never settles', async (_, answer) => {
    await using server = await startMember(answer);
    const controller = new AbortController();
    const sink = new CollectingSink(() => new Promise(() => undefined));
    setTimeout(() => controller.abort(reason), 100);
    const begin = performance.now();
    await expect(
      takeSnapshot(clientOptions(server.endpoint), sink, { signal: controller.signal }),
    ).rejects.toBe(reason);
    expect(performance.now() - begin).toBeLessThan(SOON_MS);
    await closed(server);
  });

  it('tells the member to stop', async () => {
    await using server = await startMember(sends(half, stalls));
    const controller = new AbortController();
    await using connection = await connect(clientOptions(server.endpoint));
    const { signal } = controller;
    const promise = connection.client.snapshot(new CollectingSink(), snapshotOptions({ signal }));
    setTimeout(() => controller.abort(reason), 50);
    await expect(promise).rejects.toBe(reason);
    // RFC 9113 section 7: CANCEL.
    await vi.waitFor(() => expect(server.seen.streamEnds).toEqual([8]));
    // The connection can be used on.
    expect(server.seen.open).toBe(1);
  });

  it('before the start sends nothing', async () => {
    await using server = await startMember(stalls);
    const signal = AbortSignal.abort(reason);
    await expect(takeSnapshot(clientOptions(server.endpoint), undefined, { signal })).rejects.toBe(
      reason,
    );
    expect(server.seen.streamEnds).toEqual([]);
  });
});

describe('pings', () => {
  /** The client pings by an interval of 10 s and more; only this clock is turned. */
  const turnClock = async (action: () => Promise<void>): Promise<void> => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      await action();
    } finally {
      vi.useRealTimers();
    }
  };

  it('are sent while a stream is open, and not on an idle connection', async () => {
    await using server = await startMember(sends(half, stalls));
    await turnClock(async () => {
      await using connection = await connect(clientOptions(server.endpoint));
      vi.advanceTimersByTime(60_000);
      const controller = new AbortController();
      const { signal } = controller;
      const promise = connection.client.snapshot(new CollectingSink(), snapshotOptions({ signal }));
      // etcd closes connections that ping more often than every 5 s.
      vi.advanceTimersByTime(20_000);
      await vi.waitFor(() => expect(server.seen.pings).toBe(2));
      controller.abort();
      await promise.catch(() => undefined);
      vi.advanceTimersByTime(60_000);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(server.seen.pings).toBe(2);
    });
  });

  it('that nothing answers end the connection', async () => {
    await using member = await startMember(sends(half, stalls));
    const relay = await startDeafRelay(member.endpoint);
    await using server = relay.server;
    await turnClock(async () => {
      const options = { ...clientOptions(server.endpoint), keepaliveTimeoutMs: 200 };
      await using connection = await connect(options);
      const sink = new CollectingSink();
      const promise = connection.client.snapshot(sink, snapshotOptions());
      await vi.waitFor(() => expect(sink.receivedBytes).toBeGreaterThan(300_000));
      const status = errorOf(connection.client.status());
      relay.deafen();
      vi.advanceTimersByTime(10_000);
      const error = await errorOf(promise);
      expect(error.code).toBe('stream-cut');
      expect(error.facts).toEqual([
        ['connection', expect.stringContaining('no answer to a keepalive ping for 0.2 s')],
      ]);
      // Under way, and later.
      for (const request of [status, errorOf(connection.client.status())]) {
        expect(await request).toMatchObject({
          code: 'connection-lost',
          message: expect.stringContaining('no answer to a keepalive ping') as string,
        });
      }
    });
  });
});
