// drill, where etcd shows that something is wrong, or does not do what it should: each by an etcd with a named fault.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SavedCluster, saveCluster } from '../compatibility/restored.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { describeEachVersion, describeWithEtcd } from '../servers/for-vitest.ts';
import type { EtcdVersion } from '../servers/versions.ts';
import { drill, faultyEtcd, leftIn, withAnotherValue } from './drilled.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest } from './scene.ts';
import { leafPage, PAGE, withTrailer } from './verified.ts';
import { volumeForTest, volumesMissing } from './volume.ts';

const VERSION = '3.6.16';
const FORGET_LAST_RECORD = fileURLToPath(
  new URL('../faults/forget-last-record.ts', import.meta.url),
);

/** A snapshot for all tests of the describe block it is called in. */
function savedForSuite(version: EtcdVersion): () => SavedCluster {
  let saved: SavedCluster;
  let directory: string;
  beforeAll(async () => {
    directory = temporaryDirectory();
    saved = await saveCluster(version, directory);
  });
  afterAll(() => removeTemporaryDirectory(directory));
  return () => saved;
}

// All of them start, hold every key, and send a new member their log from its beginning. Who restores has to say in the
// last record of the log, and until 3.6 in a .snap file as well, that there is something before it.
describeEachVersion('a data directory that forgets where its log begins', (version) => {
  const saved = savedForSuite(version);
  const faults: (readonly [what: string, fault: string])[] = [
    ['the last record of the log', `${process.execPath} ${FORGET_LAST_RECORD} "$DATA"`],
    ...(version === '3.7.3' ? [] : [['the .snap file', 'rm "$DATA"/member/snap/*.snap'] as const]),
  ];

  it.each(faults)('without %s: it boots, and is bad', async (_, fault) => {
    const forgetful = await faultyEtcd(version, `[ $NUMBER = 2 ] || ${fault}`);
    const outcome = await drill([saved().file, `--etcd=${forgetful}`]);
    const { revision } = saved().live;
    expect(expectFailure(outcome, 'backup-bad', 4).message).toBe(
      `a second member has all of the log, and is at revision 2 and not at ${revision + 1}: it was not sent what the snapshot holds`,
    );
    expect(outcome.stdout).toMatch(/^compared .*\n.*value, lease, revisions, version equal$/m);
    expect(outcome.stdout).not.toMatch(/a second member joined|^proves/m);
    expect(outcome.stdout).toMatch(/^verdict +BAD after /m);
  });
});

describeWithEtcd(VERSION, 'a drill', () => {
  const saved = savedForSuite(VERSION);
  const drillOn = async (fault: string, ...flags: string[]) =>
    drill([saved().file, `--etcd=${await faultyEtcd(VERSION, fault)}`, ...flags]);

  it('of a snapshot with a damaged page is bad before anything is restored', async () => {
    const bytes = await readFile(saved().file);
    bytes.writeUInt8(0x7f, (await leafPage(bytes)) * PAGE + 16 + 3 * 16 + 10);
    const file = join(directoryForTest(), 'damaged.db');
    await writeFile(file, withTrailer(bytes.subarray(0, -32)));
    const outcome = await drill([file, `--etcd=${await faultyEtcd(VERSION, '')}`]);
    expect(expectFailure(outcome, 'backup-bad', 4).message).toMatch(/has an element 3 out of its/);
    expect(outcome.stdout).not.toMatch(/^restored/m);
  });

  it('in which etcd reads another value is bad', async () => {
    const directory = directoryForTest();
    const other = await withAnotherValue(saved().file);
    const { code } = await runCli(['snapshot', 'restore', other, '--data-dir', directory]);
    expect(code).toBe(0);
    const database = join(directory, 'member/snap/db');
    // Records, and nothing else: the ids of this cluster are others.
    const record = 'dd conv=notrunc bs=4096 status=none';
    const outcome = await drillOn(
      `for page in $(cmp -l ${database} "$DATA/member/snap/db" | awk '{ print int(($1 - 1) / 4096) }' | sort -un); do
         [ $page -gt 1 ] && [ $page -lt $(($(stat -c %s ${other}) / 4096)) ] &&
           ${record} if=${database} of="$DATA/member/snap/db" skip=$page seek=$page count=1
       done`,
    );
    expect(expectFailure(outcome, 'backup-bad', 4).message).toMatch(
      /^HashKV at revision \d+ is \d+ by etcd, and \d+ by the snapshot$/,
    );
    expect(outcome.stdout).not.toMatch(/^compared/m);
  });

  it('in which etcd does not start is bad, in its own words', async () => {
    const outcome = await drillOn('echo of no use >"$DATA/member/snap/db"');
    const { message } = expectFailure(outcome, 'backup-bad', 4);
    expect(message).toMatch(/^etcd 3\.6\.16 does not run on it and ended with code \d+: \S/);
    expect(outcome.stdout).toMatch(/^verdict +BAD after /m);
  });

  it('whose second member does not start is bad', async () => {
    const outcome = await drillOn('[ $NUMBER = 2 ] && { echo "panic: of no use" >&2; exit 2; }');
    expect(expectFailure(outcome, 'backup-bad', 4).message).toBe(
      'etcd 3.6.16 does not run on it and ended with code 2: panic: of no use',
    );
    expect(outcome.stdout).toMatch(/^works /m);
  });

  describe('is unproven', () => {
    it('where etcd is killed by somebody else', async () => {
      const outcome = await drillOn('[ $NUMBER = 2 ] && kill -KILL $$');
      expect(expectFailure(outcome, 'backup-unproven', 5).message).toBe(
        'etcd 3.6.16 was ended by SIGKILL',
      );
    });

    it('where etcd has other flags', async () => {
      const fault = 'echo "flag provided but not defined: -strict-reconfig-check"; exit 2';
      const outcome = await drillOn(fault);
      expect(expectFailure(outcome, 'backup-unproven', 5).message).toMatch(
        /with code 2: flag prov/,
      );
    });

    it('where a member that joins has heard nothing of the other one in time', async () => {
      const words = 'discovery failed: incompatible with current running cluster';
      const outcome = await drillOn(`[ $NUMBER = 2 ] && { echo "${words}"; exit 1; }`);
      expect(expectFailure(outcome, 'backup-unproven', 5).message).toBe(
        `etcd 3.6.16 does not run on it and ended with code 1: ${words}`,
      );
    });

    it.each([
      ['never serves', 'exec sleep 1000', 'starting etcd'],
      ['never joins', '[ $NUMBER = 2 ] && exec sleep 1000', 'adding a member'],
    ])('where etcd %s: in the time that was given', async (_, fault, step) => {
      const outcome = await drillOn(fault, '--timeout=4s');
      expect(expectFailure(outcome, 'backup-unproven', 5).message).toBe(
        `it was not done after 0:04 (--timeout), while ${step}`,
      );
      expect(outcome.stdout).toMatch(/^verdict +UNPROVEN after 0:\d\d, there is no record/m);
    });
  });

  it('is stopped by a disk that others have filled', {
    skip: volumesMissing() !== undefined,
  }, async () => {
    const { path } = await volumeForTest('size=700m');
    const full = await faultyEtcd(
      VERSION,
      `head -c 1000000000 /dev/zero >${path}/filler 2>/dev/null`,
    );
    const line = ['drill', saved().file, `--etcd=${full}`, `--scratch=${path}`];
    const outcome = await runCli(line);
    const failure = expectFailure(outcome, 'disk-full');
    expect(failure.message).toBe('no space is left for the drill');
    expect(failure.aftermath).toBe('Nothing is left of the drill, and no verdict was recorded.');
    expect(outcome.stderr).toMatch(/^warning +the drill takes memory: /m);
    expect(await leftIn(path)).toEqual(['filler']);
  });
});
