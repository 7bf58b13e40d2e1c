import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SnapshotOptions } from '../../src/etcd/client/snapshot-stream.ts';
import type { EtcdCluster } from '../servers/etcd.ts';
import { describeEachVersion, etcdForSuite } from '../servers/for-vitest.ts';
import { load } from '../servers/load.ts';
import { CollectingSink, clientOptions, connect, errorOf, takeSnapshot } from './connect.ts';

const MB = 1_000_000;
const VALUE_BYTES = 250_000;
const VALUE_COUNT = 80;

/** The member is stopped when this much has come, with most of the snapshot still to come. */
const STOP_AT_BYTES = 1.5 * MB;
/** Slow enough that the rest takes longer than the grace that a stopped member gives, 6 to 7 s. */
const SLOW = 1 * MB;
/** Fast enough that the rest comes within it. */
const FAST = 20 * MB;

const optionsFor = ({ member: { endpoint, tls } }: EtcdCluster) =>
  clientOptions(endpoint, tls && { ca: tls.ca });

/** Takes a snapshot and does something to the member in the middle of it. */
async function snapshotWith(
  cluster: EtcdCluster,
  act: () => unknown,
  options: Partial<SnapshotOptions>,
): Promise<CollectingSink> {
  let acted = false;
  const sink = new CollectingSink((receivedBytes) => {
    if (!acted && receivedBytes > STOP_AT_BYTES) {
      acted = true;
      act();
    }
    return undefined;
  });
  await takeSnapshot(optionsFor(cluster), sink, options);
  expect(acted).toBe(true);
  return sink;
}

async function fill({ gateway }: EtcdCluster): Promise<void> {
  const writes = Array.from({ length: VALUE_COUNT }, (_, index) => ({
    key: `/values/${index}`,
    value: randomBytes(VALUE_BYTES),
  }));
  await load(gateway, writes);
}

async function revive({ gateway, member }: EtcdCluster): Promise<void> {
  if (!(await gateway.isHealthy())) await member.restart();
}

describeEachVersion('a member that stops', (version) => {
  const clusters = {
    plain: etcdForSuite({ version, tls: 'off' }),
    TLS: etcdForSuite({ version, tls: 'server' }),
  };
  const both = () => [clusters.plain(), clusters.TLS()];

  beforeAll(() => Promise.all(both().map(fill)));
  // The test before may have ended them.
  beforeEach(() => Promise.all(both().map(revive)));

  it('SIGTERM in mid-stream, and the rest takes too long', async () => {
    const codes = both().map(async (cluster) => {
      const stop = () => cluster.member.signal('SIGTERM');
      return (await errorOf(snapshotWith(cluster, stop, { rateLimit: SLOW }))).code;
    });
    expect(await Promise.all(codes)).toEqual(['stream-cut', 'stream-cut']);
  });

  describe.each(['plain', 'TLS'] as const)('on a %s port', (port) => {
    const etcd = clusters[port];
    const signal = (name: NodeJS.Signals) => () => etcd().member.signal(name);

    // 3.4 gives no grace.
    if (!version.startsWith('3.4.')) {
      it('SIGTERM in mid-stream, and the rest comes within the grace', async () => {
        const sink = await snapshotWith(etcd(), signal('SIGTERM'), { rateLimit: FAST });
        expect(sink.receivedBytes).toBe(sink.totalBytes);
      });
    }

    it('SIGKILL in mid-stream', async () => {
      const error = await errorOf(snapshotWith(etcd(), signal('SIGKILL'), { rateLimit: FAST }));
      expect(error.code).toBe('stream-cut');
      expect(error.position.offset).toBeGreaterThan(STOP_AT_BYTES);
    });

    it('SIGSTOP in mid-stream', async () => {
      const limits = { rateLimit: FAST, idleTimeoutMs: 700 };
      const error = await errorOf(snapshotWith(etcd(), signal('SIGSTOP'), limits));
      signal('SIGCONT')();
      expect(error.code).toBe('stream-stalled');
    });

    it('SIGSTOP for a while, shorter than the limit', async () => {
      const pause = () => {
        signal('SIGSTOP')();
        void sleep(700).then(signal('SIGCONT'));
      };
      const sink = await snapshotWith(etcd(), pause, { rateLimit: FAST, idleTimeoutMs: 10_000 });
      expect(sink.receivedBytes).toBe(sink.totalBytes);
    });

    it('SIGSTOP before it is dialled', async () => {
      signal('SIGSTOP')();
      const error = await errorOf(connect({ ...optionsFor(etcd()), dialTimeoutMs: 500 }));
      signal('SIGCONT')();
      expect(error.code).toBe('connection-timed-out');
      expect(error.message.includes('TLS handshake')).toBe(port === 'TLS');
    });

    it('SIGSTOP before a request', async () => {
      await using connection = await connect({ ...optionsFor(etcd()), commandTimeoutMs: 500 });
      signal('SIGSTOP')();
      const error = await errorOf(connection.client.status());
      signal('SIGCONT')();
      expect(error.code).toBe('request-timed-out');
    });

    it('SIGKILL before a request', async () => {
      await using connection = await connect(optionsFor(etcd()));
      await etcd().member.kill();
      expect((await errorOf(connection.client.status())).code).toBe('connection-lost');
    });

    it('SIGKILL before it is dialled', async () => {
      await etcd().member.kill();
      expect((await errorOf(connect(optionsFor(etcd())))).code).toBe('connection-refused');
    });
  });
});
