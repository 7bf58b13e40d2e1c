// What a drill leaves behind, however it ends: nothing, neither a file nor a process; or what the next one removes. All
// that is secret in a cluster lies in its scratch directory.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processLabel } from '../../src/base/process-label.ts';
import { type SavedCluster, saveCluster } from '../compatibility/restored.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import {
  drill,
  drillUntil,
  etcdFlag,
  expectGone,
  faultyEtcd,
  leftIn,
  processesIn,
} from './drilled.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest } from './scene.ts';
import { volumeForTest, volumesMissing } from './volume.ts';

const VERSION = '3.6.16';
const NOBODY = 65534;

/** Moments of a drill, by a file that there is from then on, and an etcd that stays there. */
const MOMENTS = [
  { moment: 'while it restores', file: /drill-1\.etcd\/\.etcdkeep-/, fault: '' },
  { moment: 'while etcd starts', file: /drill-1\.log$/, fault: 'exec sleep 1000' },
  { moment: 'while etcd is read', file: /localhost:11$/, fault: '' },
  {
    moment: 'while a member joins',
    file: /drill-2\.log$/,
    fault: '[ $NUMBER = 2 ] && exec sleep 1000',
  },
];

describeWithEtcd(VERSION, 'a drill', () => {
  let directory: string;
  let saved: SavedCluster;
  beforeAll(async () => {
    directory = temporaryDirectory();
    saved = await saveCluster(VERSION, directory);
  });
  afterAll(() => removeTemporaryDirectory(directory));

  const begin = async (scratch: string, file: RegExp, fault: string) =>
    drillUntil([saved.file, `--etcd=${await faultyEtcd(VERSION, fault)}`], scratch, file);

  describe.each(MOMENTS)('that is ended $moment', ({ file, fault }) => {
    it.each([
      { signal: 'SIGINT', code: 'interrupted', exitCode: 130 },
      { signal: 'SIGTERM', code: 'terminated', exitCode: 143 },
    ] as const)('by $signal cleans up after itself', async ({ signal, code, exitCode }) => {
      const scratch = directoryForTest();
      const run = await begin(scratch, file, fault);
      const outcome = await run.end(signal);
      const { aftermath } = expectFailure(outcome, code, exitCode);
      expect(aftermath).toBe('Nothing is left of the drill, and no verdict was recorded.');
      expect(await leftIn(scratch)).toEqual([]);
    });

    it('by SIGKILL is cleaned up by who watches over it', async () => {
      const scratch = directoryForTest();
      const run = await begin(scratch, file, fault);
      await run.end('SIGKILL');
      await expectGone(scratch);
    });
  });

  it('whose watch is ended with it is cleaned up by the next one', async () => {
    const scratch = directoryForTest();
    const run = await begin(scratch, /drill-2\.log$/, '[ $NUMBER = 2 ] && exec sleep 1000');
    await run.waitUntil(() => processesIn(scratch).length === 2);
    const [watch] = watchesOver(scratch);
    process.kill(watch!, 'SIGKILL');
    await run.end('SIGKILL');
    expect(processesIn(scratch)).toHaveLength(2);
    expect((await drill([saved.file, await etcdFlag(VERSION)], { scratch })).code).toBe(0);
  });

  it('that still goes on is left alone by another one, and so is what is not of a drill', async () => {
    const scratch = directoryForTest();
    const [here, never] = [processLabel(), processLabel().replace(/-\d+$/, '-1')];
    const others = [
      `.etcdkeep-${never}-abcdef`,
      '.etcdkeep-drill-notes',
      `etcdkeep-drill-${never}`,
    ];
    for (const name of [...others, `.etcdkeep-drill-${here}-abcdef`]) {
      await mkdir(join(scratch, name));
    }
    await writeFile(join(scratch, `.etcdkeep-drill-${never}-ghijkl`), 'no directory');
    const before = await readdir(scratch);
    const dead = join(scratch, `.etcdkeep-drill-${never}-mnopqr`);
    await mkdir(join(dead, 'drill-1.etcd'), { recursive: true });
    const line = ['drill', saved.file, await etcdFlag(VERSION), `--scratch=${scratch}`];
    expect(await runCli(line)).toMatchObject({ code: 0 });
    expect(await readdir(scratch)).toEqual(before);
  });

  it('keeps its files from others, and listens on no port', async () => {
    const scratch = directoryForTest();
    const run = await begin(scratch, /drill-2\.log$/, '[ $NUMBER = 2 ] && exec sleep 1000');
    const [name] = await readdir(scratch);
    expect((await stat(join(scratch, name!))).mode & 0o777).toBe(0o700);
    await run.waitUntil(() => processesIn(scratch).length === 2);
    for (const pid of processesIn(scratch)) expect(await portsOf(pid)).toEqual([]);
    await run.end('SIGTERM');
  });

  it('in a directory whose path is longer than that of a socket may be', async () => {
    const scratch = join(directoryForTest(), 'x'.repeat(120));
    await mkdir(scratch);
    const outcome = await drill([saved.file, await etcdFlag(VERSION)], { scratch });
    expect(outcome.code, outcome.stderr).toBe(0);
  });

  describe('is refused a scratch directory', () => {
    it('that is not there', async () => {
      const line = ['drill', saved.file, await etcdFlag(VERSION), '--scratch=/nowhere/at/all'];
      const { message } = expectFailure(await runCli(line), 'target-unwritable');
      expect(message).toMatch(/^cannot make a directory for the drill: there is no such file/);
    });

    it('that it may not write to', async () => {
      const scratch = directoryForTest();
      const line = ['drill', saved.file, await etcdFlag(VERSION), `--scratch=${scratch}`];
      expectFailure(await runCli(line, { uid: NOBODY }), 'file-failed');
      expect(await readdir(scratch)).toEqual([]);
    });

    it('that is too small: before anything is written', {
      skip: volumesMissing() !== undefined,
    }, async () => {
      const { path } = await volumeForTest('size=100m');
      const line = ['drill', saved.file, await etcdFlag(VERSION), `--scratch=${path}`];
      const { message, rows } = expectFailure(await runCli(line), 'scratch-too-small', 3);
      expect(message).toMatch(
        /^a drill of this backup writes up to 3\d\d MB, and \d+ MB are free$/,
      );
      expect(rows.get('do')).toMatch(/--scratch$/);
      expect(await readdir(path)).toEqual([]);
    });
  });
});

/** The shells that watch over directories below it. */
function watchesOver(scratch: string): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => textOf(`/proc/${pid}/cmdline`).includes(`\0etcdkeep-drill\0${scratch}/`))
    .map(Number);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}

/** Sockets of the network that a process has (proc(5), /proc/PID/net/tcp), as the kernel lists them. */
async function portsOf(pid: string): Promise<string[]> {
  const files = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  const tables = ['tcp', 'tcp6', 'udp', 'udp6'].map((name) =>
    readFile(`/proc/${pid}/net/${name}`, 'utf8'),
  );
  return (await Promise.all(tables))
    .flatMap((table) => table.trim().split('\n').slice(1))
    .filter((line) => files.includes(`socket:[${line.trim().split(/\s+/)[9]}]`));
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // It was closed meanwhile.
    return '';
  }
}
