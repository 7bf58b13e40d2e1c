import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { processLabel } from '../../src/base/process-label.ts';
import { type LeaseRequest, leaseHolder, takeLease } from '../../src/kubernetes/lease.ts';
import { apiServerForSuite, describeWithApiServer, etcdForSuite } from '../servers/for-vitest.ts';
import { clientsForSuite } from './for-suite.ts';

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';
const TIMES = { durationMs: 2000, renewalMs: 400 };

describeWithApiServer('a Lease', () => {
  const etcd = etcdForSuite({ version: '3.6.16', tls: 'mutual' });
  const server = apiServerForSuite(etcd);
  const make = clientsForSuite(server);
  const look = (name: string) => ({
    namespace: 'kube-system',
    name,
    now: () => new Date(),
    signal: new AbortController().signal,
    times: TIMES,
  });
  const take = async (name: string, holder: string, wishes: Partial<LeaseRequest> = {}) =>
    takeLease(await make(), { ...look(name), holder, ...wishes });
  const stored = async (name: string) =>
    (await (await make()).get(`${LEASES}/${name}`)) as { spec: Record<string, unknown> };

  it('is of one run at a time, and the second hears whose and since when', async () => {
    const began = Date.now();
    const first = await take('flight', 'alice@laptop');
    expect(first.isHeld).toBe(true);
    const second = await take('flight', 'bob@laptop');
    expect(second).toMatchObject({ isHeld: false, holder: 'alice@laptop' });
    const { since } = second as { since: Date };
    expect(Math.abs(since.getTime() - began)).toBeLessThan(20_000);
    if (first.isHeld) await first.release();
    const third = await take('flight', 'bob@laptop');
    expect(third.isHeld).toBe(true);
    if (third.isHeld) await third.release();
    await expect(stored('flight')).rejects.toMatchObject({ status: 404 });
  });

  it('of many who want it at once one gets it', async () => {
    const all = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((who) => take('race', who)));
    expect(all.filter(({ isHeld }) => isHeld)).toHaveLength(1);
    for (const one of all) if (one.isHeld) await one.release();
  });

  it('is renewed while it is held, and keeps the moment when it was taken', async () => {
    const held = await take('renewed', 'alice');
    const before = await stored('renewed');
    await sleep(3 * TIMES.renewalMs);
    const after = await stored('renewed');
    expect(after.spec.renewTime).not.toBe(before.spec.renewTime);
    expect(after.spec.acquireTime).toBe(before.spec.acquireTime);
    if (held.isHeld) await held.release();
  });

  it('of one that was killed is taken over once it has ended', async () => {
    await leave('killed', new Date(Date.now() - 60_000));
    expect((await take('killed', 'bob')).isHeld).toBe(true);
    expect((await stored('killed')).spec.holderIdentity).toBe('bob');
  });

  it('of one that is known to have ended is taken over at once', async () => {
    const ended = processLabel().replace(/\d+$/, '1');
    await leave('ended', new Date(), 'alice', { 'etcdkeep/process': ended });
    expect((await take('ended', 'bob')).isHeld).toBe(true);
    expect(await leaseHolder(await make(), look('ended'))).toMatchObject({ holder: 'bob' });
    expect(await leaseHolder(await make(), look('nobodys'))).toBeUndefined();
  });

  it('of one whose clock is behind is not taken over while it is renewed', async () => {
    await leave('behind', new Date(Date.now() - 3600_000));
    const renewing = setInterval(() => {
      void leave('behind', new Date(Date.now() - 3600_000));
    }, TIMES.renewalMs);
    try {
      expect(await take('behind', 'bob')).toMatchObject({ isHeld: false, holder: 'alice' });
    } finally {
      clearInterval(renewing);
    }
  });

  it('says when it was lost to another holder', async () => {
    const failures: unknown[] = [];
    const held = await take('lost', 'alice', { renewalFailed: (reason) => failures.push(reason) });
    await server().request('DELETE', `${LEASES}/lost`);
    await leave('lost', new Date(), 'bob');
    await sleep(3 * TIMES.renewalMs);
    expect(failures[0]).toMatchObject({ message: 'the Lease lost has another holder now' });
    if (held.isHeld) await held.release();
    expect((await stored('lost')).spec.holderIdentity).toBe('bob');
  });

  /** As a run leaves it that has no time to give it back. */
  function leave(
    name: string,
    renewed: Date,
    holderIdentity = 'alice',
    annotations = {},
  ): Promise<unknown> {
    const moment = renewed.toISOString().replace('Z', '000Z');
    return server().apply(`${LEASES}/${name}`, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: 'kube-system', annotations },
      spec: {
        holderIdentity,
        leaseDurationSeconds: 2,
        acquireTime: moment,
        renewTime: moment,
      },
    });
  }
});
