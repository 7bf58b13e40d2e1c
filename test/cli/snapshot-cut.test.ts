// A snapshot that ends too early, at each page and a byte beside it; files that are no files, change while they are read,
// are locked, or claim what they do not have. Each has a named diagnosis, and none a wait without end.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, stat, truncate, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { PageSource } from '../../src/bbolt/page-source.ts';
import { bucketValue, database, leafPage } from '../../src/bbolt/testing.ts';
import { checkStore } from '../../src/etcd/store/check-store.ts';
import { readDatabaseStatus } from '../../src/etcd/store/database-status.ts';
import { hashKV } from '../../src/etcd/store/hash-kv.ts';
import { readDatabase } from '../fixtures/databases/databases.ts';
import { CountingSource } from '../fuzz/counting-source.ts';
import { snapshotOf } from '../fuzz/flips/snapshots.ts';
import { reuseMemory } from '../fuzz/reused-memory.ts';
import { describeEachVersion } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest } from './scene.ts';
import { untouched } from './untouched.ts';

const PAGE = 4096;
const TRAILER = 32;
const READERS = ['status', 'check', 'hashkv'] as const;

async function fileOf(bytes: Uint8Array): Promise<string> {
  const path = join(directoryForTest(), 'snapshot.db');
  await writeFile(path, bytes);
  return path;
}

/** The rules of what a check finds. */
async function rulesOf(source: PageSource): Promise<string[]> {
  const rules: string[] = [];
  await checkStore(source, ({ rule }) => {
    rules.push(rule);
  });
  return rules;
}

describeEachVersion('a snapshot that was cut off', (version) => {
  let file: Buffer;
  beforeAll(async () => {
    file = await snapshotOf(version, 30);
  });

  it('is said to be truncated wherever that was, by each reader', async () => {
    const undo = reuseMemory();
    try {
      const body = file.length - TRAILER;
      for (let page = 0; page <= body; page += PAGE) {
        for (const end of [page - 1, page, page + 1]) {
          if (end < 0) continue;
          const cut = (): CountingSource => new CountingSource(file.subarray(0, end));
          if (end >= body) {
            expect(await rulesOf(cut())).toEqual([]);
            continue;
          }
          // With less than a meta page nothing is known.
          const expected = end < 80 ? 'meta' : 'truncated';
          expect([end, await rulesOf(cut())]).toEqual([end, expect.arrayContaining([expected])]);
          const damaged = { code: 'database-damaged' };
          await expect(readDatabaseStatus(cut())).rejects.toMatchObject(damaged);
          await expect(hashKV(cut())).rejects.toMatchObject(damaged);
        }
      }
    } finally {
      undo();
    }
  });

  it.each(READERS)('snapshot %s says where it ends', async (reader) => {
    const end = file.length - TRAILER - PAGE;
    const path = await fileOf(file.subarray(0, end));
    const outcome = await runCli(['snapshot', reader, path]);
    const { message } = expectFailure(outcome, 'snapshot-damaged', 4);
    expect(message).toContain(`the file ends at ${end} of ${file.length - TRAILER} bytes`);
  });
});

describe.each(READERS)('snapshot %s of a file that', (reader) => {
  const run = (path: string) => runCli(['snapshot', reader, path]);

  it.each([12_288, 16_384, 20_479])(
    'lost free pages alone, which etcdutl passes: cut to %i',
    async (end) => {
      const outcome = await run(await fileOf(readDatabase('inline').subarray(0, end)));
      expect(expectFailure(outcome, 'snapshot-damaged', 4).message).toMatch(
        `the file ends at ${end} of 20480 bytes: it is truncated`,
      );
    },
  );

  it('has a hole where its pages were', async () => {
    const bytes = readDatabase('tree');
    const path = await fileOf(bytes.subarray(0, 2 * PAGE));
    await truncate(path, bytes.length);
    expect((await stat(path)).blocks).toBeLessThan(bytes.length / 512 / 2);
    const { message } = expectFailure(await run(path), 'snapshot-damaged', 4);
    expect(message).toMatch(/^page \d+ carries the number 0/);
  });

  it('is a terabyte, of which a page is in use', async () => {
    const root = [{ key: 'key', value: bucketValue(0, leafPage(0, [])), isBucket: true }];
    const path = await fileOf(
      database([leafPage(2, root)], { pageSize: PAGE, pages: 2n ** 40n / BigInt(PAGE) }),
    );
    await truncate(path, 2 ** 40);
    const outcome = await run(path);
    expect(outcome.code, outcome.stderr).toBe(0);
  });

  it('has a meta that claims a terabyte', async () => {
    const path = await fileOf(database([leafPage(2, [])], { pages: 2n ** 30n }));
    const { message } = expectFailure(await run(path), 'snapshot-damaged', 4);
    expect(message).toContain(`ends at 3072 of ${2 ** 40} bytes`);
  });

  it.each(['meta', 'key'])('has no bucket %s', async (missing) => {
    const buckets = ['key', 'meta'].filter((name) => name !== missing);
    const root = buckets.map((key) => ({
      key,
      value: bucketValue(0, leafPage(0, [])),
      isBucket: true,
    }));
    const path = await fileOf(database([leafPage(2, root)], { pageSize: PAGE }));
    const outcome = await run(path);
    expect(outcome.stderr).not.toMatch(/TypeError|undefined/);
    expect(outcome.code, outcome.stderr).toBe(0);
  });

  it('another process holds locked', async () => {
    const path = await fileOf(readDatabase('tree'));
    const holder = spawn('flock', ['-x', path, 'sh', '-c', 'echo held; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    onTestFinished(() => void process.kill(-holder.pid!, 'SIGKILL'));
    await once(holder.stdout, 'data');
    const outcome = await run(path);
    expect(outcome.code, outcome.stderr).toBe(0);
  });

  it.each(['a pipe', 'a socket', 'a directory', 'a device', 'a terminal'])(
    'is %s',
    async (kind) => {
      const directory = directoryForTest();
      let path = join(directory, 'file');
      if (kind === 'a pipe') execFileSync('mkfifo', [path]);
      if (kind === 'a device') path = '/dev/zero';
      if (kind === 'a terminal') path = '/dev/tty';
      if (kind === 'a directory') path = directory;
      if (kind === 'a socket') {
        const server = net.createServer().listen(path);
        onTestFinished(() => void server.close());
        await once(server, 'listening');
      }
      const outcome = await untouched(directory, () => run(path));
      expectFailure(outcome, 'file-failed');
    },
  );
});

describe('a file that is changed while it is read', () => {
  /** Gives the bytes, and does something before the read of that number. */
  async function changedAt(read: number, change: (path: string) => Promise<void>) {
    const path = await fileOf(readDatabase('tree'));
    const handle = await open(path);
    onTestFinished(() => handle.close());
    let reads = 0;
    const { openFileSource } = await import('../../src/bbolt/file-source.ts');
    const file = openFileSource(path);
    onTestFinished(() => file.close());
    const source: PageSource = {
      size: file.size,
      async read(into, offset) {
        reads += 1;
        if (reads === read) await change(path);
        await file.read(into, offset);
      },
    };
    return source;
  }

  it.each([3, 5, 8, 11])('and is cut to a page, before read %i', async (read) => {
    const cut = (path: string) => truncate(path, 2 * PAGE);
    const failed = { code: 'file-failed', message: 'the file became shorter while it was read' };
    await expect(rulesOf(await changedAt(read, cut))).rejects.toMatchObject(failed);
    await expect(readDatabaseStatus(await changedAt(read, cut))).rejects.toMatchObject(failed);
    await expect(hashKV(await changedAt(read, cut))).rejects.toMatchObject(failed);
  });

  it('and grows: what was there when it was opened counts', async () => {
    const grow = (path: string) => truncate(path, 8 * 1024 * 1024);
    expect(await rulesOf(await changedAt(5, grow))).toEqual([]);
    await expect(readDatabaseStatus(await changedAt(5, grow))).resolves.toMatchObject({
      revision: 962n,
    });
  });
});
