// verify, list and show: a backup of a real host, good and then damaged in one place after the other; and snapshots
// that others have made.
import { chmod, copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { readDatabase } from '../fixtures/databases/databases.ts';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest, hostForSuite } from './scene.ts';
import { untouched } from './untouched.ts';
import { type Change, leafPage, PAGE, verifyJson } from './verified.ts';

const VERSION = '3.6.16';
const NOBODY = 65534;

describeWithEtcd(VERSION, 'a backup of a host', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const host = hostForSuite(etcd);
  const taken = temporaryDirectory();
  let names: string[];
  let stamp: string;
  let keys: number;
  let hashKV: number;
  let screen: string;
  beforeAll(async () => {
    const data = await loadKubernetes(etcd().gateway, { objects: 300, operations: 16 });
    keys = data.live.size;
    const outcome = await runCli(['backup', '--root', host().root, taken]);
    expect(outcome.code, outcome.stderr).toBe(0);
    screen = outcome.stderr;
    names = (await readdir(taken)).sort();
    stamp = /^backup_(.*)\.json$/.exec(names[0]!)![1]!;
    const member = await etcd().gateway.call('/v3/maintenance/hashkv', { revision: '0' });
    hashKV = (member as { hash: number }).hash;
  });

  /** A copy of the backup, and its files. */
  async function copied() {
    const directory = directoryForTest();
    for (const name of names) await copyFile(join(taken, name), join(directory, name));
    const [record, snapshot, resources] = names.map((name) => join(directory, name));
    return { directory, record: record!, snapshot: snapshot!, resources: resources! };
  }

  async function changed(change: Change) {
    const files = await copied();
    const bytes = await readFile(files.snapshot);
    await writeFile(files.snapshot, (await change(bytes)) ?? bytes);
    return files;
  }

  it('is good: a person reads what was proven, and the record says so', async () => {
    const { directory, record } = await copied();
    const { code, stdout, stderr } = await runCli(['verify', directory]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      new RegExp(`^backup +${stamp}, of ip-10-0-1-2\\S*, taken \\d+ seconds? ago`),
    );
    expect(stdout).toMatch(/^snapshot +good: .*, \d.* MB$/m);
    expect(stdout).toMatch(/^ {2}digest +equal to the trailer$/m);
    expect(stdout).toMatch(/^ {2}structure +sound: [\d,]+ of [\d,]+ pages are in use$/m);
    const contents = `sound: revision \\d+, ${keys} keys, HashKV ${hashKV}, etcd 3.6.0`;
    expect(stdout).toMatch(new RegExp(`^ {2}store +${contents}$`, 'm'));
    expect(stdout).toMatch(/^record +good: the files are as it says$/m);
    expect(stdout).toMatch(/^verdict +GOOD, written to the record$/m);
    const { verdicts } = JSON.parse(await readFile(record, 'utf8')) as { verdicts: object[] };
    expect(verdicts).toMatchObject([{ kind: 'verify', result: 'good' }]);
    expect(await readdir(directory)).toHaveLength(3);
  });

  it('as a document, with what its own member says of it', async () => {
    const { directory } = await copied();
    const { code, document } = await verifyJson(directory);
    expect(code).toBe(0);
    expect(document.backups).toMatchObject([
      { stamp, result: 'good', reasons: [], recorded: true, snapshot: { keys, hashKV } },
    ]);
  });

  it('database and archive are not touched', async () => {
    const { directory, record } = await copied();
    await rm(record);
    await untouched(directory, () => runCli(['verify', directory]));
  });

  it('where the record cannot be written, that is said, and the exit code is the same', async () => {
    const { directory } = await copied();
    for (const name of names) await chmod(join(directory, name), 0o444);
    await chmod(directory, 0o555);
    const { code, stdout } = await untouched(directory, () =>
      runCli(['verify', directory], { uid: NOBODY }),
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^verdict +GOOD, not recorded: .*permission denied$/m);
  });

  it('one element of one page is damaged: what it hides, and what can be read', async () => {
    const { directory, record } = await changed(async (bytes) => {
      const page = await leafPage(bytes);
      bytes.writeUInt8(0x7f, page * PAGE + 16 + 3 * 16 + 10);
    });
    const outcome = await runCli(['verify', directory, '--list-lost']);
    const failure = expectFailure(outcome, 'backup-bad', 4);
    expect(failure.message).toBe("the snapshot's digest differs from its trailer");
    expect(outcome.stdout).toMatch(/^snapshot +BAD: /m);
    expect(outcome.stdout).toMatch(
      /^ {2}digest +differs from the trailer: [0-9a-f]{16}… computed, [0-9a-f]{16}… stored$/m,
    );
    expect(outcome.stdout).toMatch(
      /^ {2}structure +page \d+ has an element 3 out of its bounds \(byte [\d,]+\)$/m,
    );
    expect(outcome.stdout).toMatch(
      new RegExp(
        `^ {2}store +\\d+ keys can be read, of ${keys} by the record; some may be out of date$`,
        'm',
      ),
    );
    expect(outcome.stdout).toMatch(
      /^lost +1 record of revision \d+ to \d+, in page \d+ of bucket "key"$/m,
    );
    expect(outcome.stdout).toMatch(/^verdict +BAD, written to the record/m);
    const { verdicts } = JSON.parse(await readFile(record, 'utf8')) as { verdicts: object[] };
    expect(verdicts).toMatchObject([{ kind: 'verify', result: 'bad' }]);
  });

  it('a page is gone: every revision of it is named', async () => {
    const { directory } = await changed(async (bytes) => {
      const page = await leafPage(bytes);
      bytes.fill(0, page * PAGE, (page + 1) * PAGE);
    });
    const { code, document } = await verifyJson(directory);
    expect(code).toBe(4);
    const { lost } = document.backups[0]!.snapshot;
    expect(lost).toMatchObject([{ bucket: 'key', from: expect.stringMatching(/^\d+$/) as string }]);
  });

  it.each<[string, Change, RegExp]>([
    [
      'one bit of a value',
      async (bytes) => {
        // The end of a full page is that of its last value.
        bytes[((await leafPage(bytes)) + 1) * PAGE - 200]! ^= 1;
      },
      /digest differs from its trailer/,
    ],
    ['one bit of the trailer', (bytes) => void (bytes[bytes.length - 1]! ^= 1), /digest differs/],
    [
      'the trailer is cut off',
      (bytes) => bytes.subarray(0, bytes.length - 32),
      /the snapshot has \d+ bytes, and \d+ by its record/,
    ],
    [
      'cut in the middle',
      (bytes) => bytes.subarray(0, (bytes.length >> 13) << 12),
      /the file ends at \d+ of \d+ bytes: it is truncated/,
    ],
    ['empty', () => Buffer.alloc(0), /it is no bbolt database/],
  ])('%s: bad', async (_, change, reason) => {
    const { directory } = await changed(change);
    const { code, document } = await verifyJson(directory);
    expect(code).toBe(4);
    expect(document.backups[0]!.reasons.join('\n')).toMatch(reason);
  });

  it('another snapshot in its place, good by itself: bad, by the record', async () => {
    const { directory, snapshot } = await copied();
    const database = readDatabase('tree');
    await writeFile(snapshot, database);
    const { code, document } = await verifyJson(directory);
    expect(code).toBe(4);
    expect(document.backups[0]!.reasons).toEqual([
      expect.stringMatching(/^the snapshot has \d+ bytes, and \d+ by its record$/),
    ]);
  });

  it('the archive was changed: bad, by the record', async () => {
    const { directory, resources } = await copied();
    const bytes = await readFile(resources);
    // The CRC at the end of gzip.
    bytes[bytes.length - 8]! ^= 1;
    await writeFile(resources, bytes);
    const { code, document } = await verifyJson(directory);
    expect(code).toBe(4);
    expect(document.backups[0]!.reasons).toEqual([
      expect.stringMatching(/^static resources: gzip is damaged: /),
      'the digest of the static resources is not the one in the record',
    ]);
  });

  it('the static resources are elsewhere: unproven, until their place is named', async () => {
    const { directory, resources } = await copied();
    const keysDirectory = directoryForTest();
    await copyFile(resources, join(keysDirectory, names[2]!));
    await rm(resources);
    const outcome = await runCli(['verify', directory]);
    const failure = expectFailure(outcome, 'backup-unproven', 5);
    expect(failure.message).toBe(`the static resources are not beside it: ${names[2]}`);
    // Only what was there was held against the record.
    expect(outcome.stdout).toMatch(
      /^record +good: the snapshot is as it says; nothing else was there$/m,
    );
    const found = await runCli(['verify', directory, '--static-resources-dir', keysDirectory]);
    expect(found.code, found.stderr).toBe(0);
  });

  it('without a record, as cluster-backup.sh makes it: good', async () => {
    const { directory, record } = await copied();
    await rm(record);
    const { code, stdout } = await runCli(['verify', directory]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^verdict +GOOD, there is no record to write it to$/m);
  });

  it('a record that is none: bad', async () => {
    const { directory, record } = await copied();
    await writeFile(record, '{"schema":"etcdkeep.backup/v1"}');
    const failure = expectFailure(await runCli(['verify', directory]), 'backup-bad', 4);
    expect(failure.message).toMatch(/^the record cannot be read: this is not a record of a backup/);
  });

  it('all of a directory: one bad, one good; the list says when each was proven', async () => {
    const { directory } = await copied();
    await copyFile(join(directory, names[1]!), join(directory, 'snapshot_2026-01-02_030405.db'));
    await writeFile(join(directory, 'snapshot_2026-01-01_030405.db'), 'no database');
    const outcome = await runCli(['verify', directory, '--all']);
    const failure = expectFailure(outcome, 'backup-bad', 4);
    expect(failure.message).toMatch(/^it is no bbolt database: .*; 1 of 3 backups: bad$/);
    expect(outcome.stdout.match(/^verdict +\w+/gm)).toEqual([
      expect.stringMatching(/GOOD$/),
      expect.stringMatching(/UNPROVEN$/),
      expect.stringMatching(/BAD$/),
    ]);
    const list = await untouched(directory, () => runCli(['list', directory]));
    expect(list.code).toBe(0);
    const lines = list.stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^STAMP +AGE +SIZE +REVISION +HOST +PROVEN$/);
    expect(lines[1]).toMatch(
      new RegExp(`^${stamp} +\\d+s +\\S+ [kM]B +\\d+ +ip-10-0-1-2\\S* +verified \\d+s ago$`),
    );
    expect(lines[2]).toMatch(/^2026-01-02_030405 .* no record; NO STATIC RESOURCES$/);
    expect(lines).toHaveLength(4);
  });

  it('show says what is known of it, and what was proven', async () => {
    const { directory } = await copied();
    const before = await untouched(directory, () => runCli(['show', directory]));
    expect(before.stdout).toMatch(/^proven +never$/m);
    await runCli(['verify', directory]);
    const { code, stdout } = await runCli(['show', directory, '--stamp', stamp]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^backup +${stamp}$`, 'm'));
    expect(stdout).toMatch(/^member +\S+ \([0-9a-f]+\), etcd 3\.6\.16 at https:/m);
    expect(stdout).toMatch(/^static pods +kube-apiserver-pod-\d+, /m);
    expect(stdout).toMatch(/^proven +verified \d+ seconds? ago by etcdkeep \S+: digest equal/m);
    const { stdout: json } = await runCli(['show', directory, '--output', 'json']);
    expect(JSON.parse(json)).toMatchObject({ stamp, proven: { result: 'good' }, notes: [] });
  });

  it('by the command that the backup ended with', async () => {
    const [, command] = /^next +etcdkeep (verify \S+) /m.exec(screen)!;
    const { code, stdout } = await runCli(command!.split(' '));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^verdict +GOOD, written to the record$/m);
  });
});
