// `snapshot restore` that is killed, or told to stop, just before each thing that it does to files: there is a whole data
// directory or none, and a next run makes the one that is missing.
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCli } from '../cli/run.ts';
import { flagsFor } from '../cli/scene.ts';
import { digestsOf } from '../cli/untouched.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { startEtcd } from '../servers/etcd.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { runStepped, type SignalAt, type SteppedRun } from './stepped-run.ts';

const VERSION = '3.6.16';
const MEMBERS = ['a', 'b'];
const CLUSTER = '--initial-cluster=a=http://10.0.0.1:2380,b=http://10.0.0.2:2380';

describeWithEtcd(VERSION, 'a restore of two members', () => {
  let directory: string;
  let line: string[];
  let place: string;
  beforeAll(async () => {
    directory = temporaryDirectory();
    place = join(directory, 'place');
    const file = join(directory, 'snapshot.db');
    await using etcd = await startEtcd({ version: VERSION });
    await etcd.gateway.put('/key', 'value');
    await runCli(['snapshot', 'save', file, ...flagsFor(etcd.member)]);
    line = ['snapshot', 'restore', file, CLUSTER, '--all-members', `--data-dir=${place}/data`];
  });
  afterAll(() => removeTemporaryDirectory(directory));

  const run = (at?: SignalAt): Promise<SteppedRun> =>
    runStepped(line, { PLACE: place }, join(directory, 'steps.log'), at);
  const anew = async (): Promise<void> => {
    await rm(place, { recursive: true, force: true });
    await mkdir(place);
  };
  /** Members whose directory is there; all that is there is whole. */
  const made = async (whole: Record<string, string>): Promise<string[]> => {
    const found = await digestsOf(place);
    const visible = Object.keys(found).filter((name) => !name.includes('/.etcdkeep-'));
    for (const name of visible) expect(found[name], name).toBe(whole[name]);
    const members = MEMBERS.filter(
      (name) => found[`data/${name}.etcd/member/snap/db`] !== undefined,
    );
    const files = Object.keys(whole).filter((name) =>
      members.some((one) => name.includes(`/${one}.etcd/`)),
    );
    expect(visible.sort()).toEqual(files.sort());
    return members;
  };

  it('leaves none or whole ones', { timeout: 300_000 }, async () => {
    await anew();
    const { steps, code, stderr } = await run();
    expect(code, stderr).toBe(0);
    const whole = await digestsOf(place);
    const ends = new Map<string, number>();
    for (let step = 1; step <= steps.length; step += 1) {
      // A run that is told to stop does the same wherever it is: not every step is worth its time.
      for (const signal of [
        'SIGKILL',
        ...(step % 4 === 0 ? (['SIGTERM'] as const) : []),
      ] as const) {
        await anew();
        const outcome = await run({ step, signal });
        const where = `${signal} before ${steps[step - 1]!}`;
        const members = await made(whole);
        const end = `${outcome.code}, ${members.length} made`;
        ends.set(end, (ends.get(end) ?? 0) + 1);
        expect(
          ['137, 0 made', '137, 1 made', '137, 2 made', '143, 0 made', '0, 2 made'],
          where,
        ).toContain(end);
        if (outcome.code === 143) expect(await readdir(place), where).toEqual([]);
        if (outcome.code === 0) expect(await digestsOf(place), where).toEqual(whole);
        if (outcome.code !== 137) continue;
        for (const name of members) {
          await rm(join(place, `data/${name}.etcd`), { recursive: true });
        }
        const next = await runCli(line);
        expect(next.code, `${where}: ${next.stderr}`).toBe(0);
        expect(await digestsOf(place), where).toEqual(whole);
      }
    }
    // Each kind of end was seen, so the steps are where they should be.
    expect([...ends.keys()].sort()).toEqual([
      '0, 2 made',
      '137, 0 made',
      '137, 1 made',
      '137, 2 made',
      '143, 0 made',
    ]);
  });
});
