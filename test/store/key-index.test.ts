// The index of keys at a revision is what etcdctl gets of the member at that revision, of histories of every kind.
import { randomBytes } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import {
  type KeyIndexOptions,
  readKeyIndex,
  readValue,
  withPrefix,
} from '../../src/etcd/store/key-index.ts';
import { Random } from '../fixtures/random.ts';
import { describeEachVersion, etcdForSuite } from '../servers/for-vitest.ts';
import type { Write } from '../servers/gateway.ts';
import { opened, saved } from './databases.ts';

interface Line {
  readonly key: string;
  readonly create: bigint;
  readonly mod: bigint;
  readonly version: bigint;
  readonly lease: bigint;
  readonly value: string;
}

async function ours(path: string, options: KeyIndexOptions): Promise<Line[]> {
  const source = opened(path);
  try {
    const index = await readKeyIndex(source, options);
    const lines: Line[] = [];
    for (const entry of index.inKeyOrder()) {
      const { createRevision: create, modRevision: mod, version, lease } = entry;
      const value = Buffer.from(await readValue(source, entry)).toString('base64');
      const key = Buffer.from(entry.key).toString('base64');
      lines.push({ key, create, mod, version: BigInt(version), lease, value });
    }
    expect(lines).toHaveLength(index.size);
    // The order of records is another order of the same keys.
    const mods: [bigint, number][] = [];
    for (const { modRevision, subRevision } of index.inRecordOrder()) {
      mods.push([modRevision, subRevision]);
    }
    const before = ([main, sub]: [bigint, number], [other, otherSub]: [bigint, number]): number =>
      Number(main - other) || sub - otherSub;
    expect(mods).toEqual(mods.toSorted(before));
    expect(new Set(mods.map(String)).size).toBe(index.size);
    return lines;
  } finally {
    source.close();
  }
}

describeEachVersion(
  'the keys of a database at a revision',
  (version) => {
    const etcd = etcdForSuite({ version });

    const theirs = async (prefix: string, revision: bigint): Promise<Line[]> => {
      const line = ['get', prefix, '--prefix', `--rev=${revision}`, '--write-out=json'];
      const { code, stdout, stderr } = await etcd().member.etcdctl(line);
      expect(code, stderr).toBe(0);
      // Leases are JSON numbers beyond 2^53.
      const text = stdout.replaceAll(/"(lease|version)":(\d+)/g, '"$1":"$2"');
      const { kvs = [] } = JSON.parse(text) as { kvs?: Record<string, string | number>[] };
      return kvs.map(({ key, create_revision, mod_revision, version: own, lease, value }) => ({
        key: key as string,
        create: BigInt(create_revision!),
        mod: BigInt(mod_revision!),
        version: BigInt(own!),
        lease: BigInt(lease ?? 0),
        value: (value ?? '') as string,
      }));
    };

    beforeAll(async () => {
      const { gateway, member } = etcd();
      const random = new Random(7);
      const name = (): string => `/${random.pick(['a', 'b', 'c'])}/${random.between(0, 25)}`;
      const lease = await gateway.grantLease(3600);
      const value = (): Buffer => randomBytes(random.pick([0, 1, 30, 300, 6000]));
      for (let step = 0; step < 250; step += 1) {
        const kind = random.between(0, 9);
        if (kind < 4) await gateway.put(name(), value(), random.pick([0n, lease]));
        else if (kind < 6) await gateway.delete(name());
        else {
          const keys = new Set(Array.from({ length: random.between(2, 7) }, name));
          const writes = [...keys].map<Write>((key) =>
            random.between(0, 2) === 0 ? { key, deleted: true } : { key, value: value() },
          );
          await gateway.transaction(writes);
        }
        // Many deletions at one main revision, and the keys come back later.
        if (step % 60 === 59) await member.etcdctl(['del', '/b/', '--prefix']);
      }
      await gateway.put('\xff\xff', 'beyond all text');
    });

    const expectEqual = async (from: bigint): Promise<void> => {
      const last = await etcd().gateway.revision();
      const path = await saved(etcd().member);
      for (let revision = last; revision >= from; revision -= 23n) {
        const told = await theirs('', revision);
        expect([revision, await ours(path, { revision })]).toEqual([revision, told]);
      }
      for (const revision of [from, from + 1n]) {
        expect(await ours(path, { revision })).toEqual(await theirs('', revision));
        expect(await ours(path, { revision, keys: withPrefix('/b/1') })).toEqual(
          await theirs('/b/1', revision),
        );
      }
      const newest = await ours(path, {});
      expect(newest).toEqual(await theirs('', 0n));
      expect(newest.length).toBeGreaterThan(20);
      const asked = (revision: bigint): Promise<unknown> => ours(path, { revision });
      await expect(asked(last + 1n)).rejects.toMatchObject({ code: 'revision-future' });
      if (from > 2n) {
        await expect(asked(from - 1n)).rejects.toMatchObject({ code: 'revision-compacted' });
        const { stderr } = await etcd().member.etcdctl(['get', 'x', `--rev=${from - 1n}`]);
        expect(stderr).toContain('has been compacted');
      }
    };

    it('are those of the member', () => expectEqual(2n));

    it('are so after a compaction, and after defragmentation', async () => {
      const { gateway, member } = etcd();
      const compacted = (await gateway.revision()) - 100n;
      await gateway.compact(compacted);
      await expectEqual(compacted);
      expect((await member.etcdctl(['defrag'])).code).toBe(0);
      await expectEqual(compacted);
    });

    it('are so after a compaction to the deletion of many keys', async () => {
      const { gateway, member } = etcd();
      await gateway.put('/z', 'one');
      await member.etcdctl(['del', '/a/', '--prefix']);
      const compacted = await gateway.revision();
      await gateway.compact(compacted);
      await gateway.put('/a/1', 'again');
      await expectEqual(compacted);
    });
  },
  ['3.4.23', '3.7.3'],
);
