import { expect, it } from 'vitest';
import { describeEachVersion, etcdForSuite } from './for-vitest.ts';
import type { Write } from './gateway.ts';
import { load } from './load.ts';

describeEachVersion('loading', (version) => {
  const etcd = etcdForSuite({ version });

  it('keeps the order of the writes to one key, whatever the concurrency', async () => {
    const writes: Write[] = [];
    for (let round = 0; round < 5; round += 1) {
      for (let index = 0; index < 300; index += 1) {
        writes.push({ key: `/order/${index}`, value: `${round}` });
      }
    }
    writes.push({ key: '/order/7', deleted: true });
    await load(etcd().gateway, writes, { concurrency: 8 });
    const left = await etcd().gateway.list('/order/');
    expect(left).toHaveLength(299);
    expect(new Set(left.map(({ value }) => value.toString()))).toEqual(new Set(['4']));
    expect(new Set(left.map((kv) => kv.version))).toEqual(new Set([5n]));
  });

  it('gives every write a revision of its own where asked to', async () => {
    const before = await etcd().gateway.revision();
    const writes = [1, 2, 3].map((value) => ({ key: '/same', value: `${value}` }));
    await load(etcd().gateway, writes, { operations: 1, concurrency: 1 });
    expect(await etcd().gateway.revision()).toBe(before + 3n);
  });

  it('cuts transactions so that values of 700 kB and bytes that are no text go through', async () => {
    const value = Buffer.alloc(700_000, 0xfe);
    const writes = [1, 2, 3].map((index) => ({ key: `/large/${index}`, value }));
    await load(etcd().gateway, writes);
    const kept = await etcd().gateway.list('/large/');
    expect(kept.map((kv) => kv.value.equals(value))).toEqual([true, true, true]);
  });

  it('leases keys, and reads what was before until it is compacted', async () => {
    const { gateway } = etcd();
    const lease = await gateway.grantLease(3600, 0x1234_5678_9abc_def0n);
    const first = await gateway.put('/leased', 'one', lease);
    const second = await gateway.put('/leased', 'two', lease);
    expect(await gateway.get('/leased')).toMatchObject({ lease, version: 2n });
    expect((await gateway.get('/leased', first))?.value.toString()).toBe('one');
    await gateway.compact(second);
    await expect(gateway.get('/leased', first)).rejects.toThrow('has been compacted');
  });

  it('fails with what etcd says', async () => {
    const write = { key: '/too-large', value: Buffer.alloc(2_000_000) };
    await expect(load(etcd().gateway, [write])).rejects.toThrow(/too large|larger than/);
  });
});
