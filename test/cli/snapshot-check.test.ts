// snapshot check: a named diagnosis for each file on which etcdutl panics, dies or says that all is well.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DATABASES, readDatabase } from '../fixtures/databases/databases.ts';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { startEtcd } from '../servers/etcd.ts';
import { describeEachVersion } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest } from './scene.ts';
import { untouched } from './untouched.ts';

const PAGE = 4096;

async function check(bytes: Uint8Array, ...flags: string[]) {
  const directory = directoryForTest();
  const path = join(directory, 'snapshot.db');
  await writeFile(path, bytes, { mode: 0o400 });
  return untouched(directory, () => runCli(['snapshot', 'check', path, ...flags]));
}

/** The smallest snapshot, of five pages, with one thing changed. */
function changed(change: (bytes: Buffer, root: number) => void): Buffer {
  const bytes = readDatabase('inline');
  change(bytes, Number(bytes.readBigUInt64LE(32)) * PAGE);
  return bytes;
}

describe('snapshot check', () => {
  it.each(DATABASES)('finds nothing in the database %s', async (name) => {
    const { code, stdout, stderr } = await check(readDatabase(name));
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toMatch(/^sound {7}[\d,]+ of [\d,]+ pages are in use, /);
  });

  // The rows of what etcdutl 3.4 to 3.7 were seen to do; the digest is not this command's.
  it.each<[string, Uint8Array, RegExp]>([
    ['empty (write: bad file descriptor)', Buffer.alloc(0), /^meta +it is no bbolt database: /],
    ['of 16 bytes', readDatabase('inline').subarray(0, 16), /^meta +it is no bbolt database: /],
    ['a text', Buffer.from('no database\n'.repeat(500)), /the magic number is wrong \(byte 0\)$/m],
    [
      'cut to two pages (SIGBUS)',
      readDatabase('inline').subarray(0, 2 * PAGE),
      /^truncated +the file ends at 8192 of 20480 bytes: it is truncated \(byte 8,192\)$/m,
    ],
    [
      'cut where only free pages were (OK)',
      readDatabase('inline').subarray(0, 3 * PAGE),
      /^truncated +the file ends at 12288 of 20480 bytes/m,
    ],
    [
      'without its first 512 bytes (panic)',
      changed((bytes) => bytes.fill(0, 0, 512)),
      /^meta +meta page 0 cannot be used: the magic number is wrong; the other one is \(byte 0\)\nmeta +page 0 is not the meta page/m,
    ],
    [
      'with a broken first meta (OK)',
      changed((bytes) => bytes.writeUInt8(0, 16)),
      /^meta +meta page 0 cannot be used: the magic number/m,
    ],
    [
      'with both metas broken',
      changed((bytes) => bytes.fill(0, 16, 80).fill(0, PAGE + 16, PAGE + 80)),
      /^meta +it is no bbolt database/m,
    ],
    [
      'with other flags on its root (panic)',
      changed((bytes, root) => bytes.writeUInt16LE(0x10, root + 8)),
      /^header +page \d+ is of a kind that cannot be there \(flags 16\)/m,
    ],
    [
      'with another number on its root (panic)',
      changed((bytes, root) => bytes.writeUInt8(77, root)),
      /^header +page \d+ carries the number 77/m,
    ],
    [
      'with buckets out of order (panic)',
      changed((bytes, root) => {
        const key = root + 16 + bytes.readUInt32LE(root + 16 + 4);
        bytes.write('z', key);
      }),
      /^key-order +page \d+ has keys out of order at element 1/m,
    ],
    [
      'with a bucket out of its page',
      changed((bytes, root) => bytes.writeUInt32LE(99_999, root + 16 + 12)),
      /^elements +page \d+ has an element 0 out of its bounds/m,
    ],
  ])('of a file that is %s', async (_, bytes, line) => {
    const outcome = await check(bytes);
    expectFailure(outcome, 'snapshot-damaged', 4);
    expect(outcome.stdout).toMatch(line);
  });

  it('tells of a record that does not fit to those before it', async () => {
    const bytes = readDatabase('uncompacted');
    // The version of a record: field 4 of a message behind fields 2 and 3.
    const at = bytes.findIndex((byte, index) => byte === 0x20 && bytes[index - 2] === 0x18);
    bytes[at + 1]! += 40;
    const outcome = await check(bytes);
    expectFailure(outcome, 'snapshot-damaged', 4);
    expect(outcome.stdout).toMatch(/^history +revision \d+ has version \d+/m);
  });

  it('shows as many findings as are asked for, and counts all', async () => {
    const bytes = readDatabase('tree').subarray(0, 700_000);
    const { errors, findings, error } = JSON.parse(
      (await check(bytes, '--limit=1', '--output=json')).stdout,
    ) as { errors: number; findings: unknown[]; error: { code: string } };
    expect(findings).toHaveLength(1);
    expect(errors).toBeGreaterThan(1);
    expect(error.code).toBe('snapshot-damaged');
    const { stdout, stderr } = await check(bytes, '--limit=0');
    expect(stdout).toBe('');
    expect(stderr).toMatch(new RegExp(`^more {8}${errors} findings; --limit shows them$`, 'm'));
  });
});

describeEachVersion('snapshot check of a real snapshot', (version) => {
  it('finds nothing, before and after a compaction', async () => {
    await using etcd = await startEtcd({ version });
    const { member, gateway } = etcd;
    await loadKubernetes(gateway, { objects: 400, operations: 16 });
    const revision = (await gateway.status())['header'] as { revision: string };
    const directory = directoryForTest();
    for (const compact of [false, true]) {
      if (compact) {
        const at = `${Number(revision.revision) - 50}`;
        await member.etcdctl(['compact', at, '--physical']);
        await member.etcdctl(['del', '/kubernetes.io/pods', '--prefix']);
      }
      const path = join(directory, `${compact}.db`);
      expect(await member.etcdctl(['snapshot', 'save', path])).toMatchObject({ code: 0 });
      const { code, stdout } = await runCli(['snapshot', 'check', path]);
      expect([code, stdout]).toEqual([0, '']);
    }
  });
});
