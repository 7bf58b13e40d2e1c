// The command line of a restore: what it takes, what it asks, and how the plan looks.
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/base/error-codes.ts';
import { NODE, openshiftScene, plan, VERSION } from '../restore/plan-scene.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { ETCDKEEP, runCli } from './run.ts';
import { noTerminal, onTerminal } from './terminal.ts';
import { untouched } from './untouched.ts';

const NOBODY = 65_534;
const { status } = spawnSync(ETCDKEEP, ['--version'], { uid: NOBODY, gid: NOBODY });
const noUser = status === 0 ? '' : ' (not run: another user cannot read this tree)';

describeWithEtcd(VERSION, 'restore', () => {
  it('shows its plan from the top to the bottom, on stderr alone', async () => {
    const scene = await openshiftScene();
    await scene.etcd.gateway.put('/later', 'x');
    const { host, backup } = scene;
    const { code, stdout, stderr } = await runCli([
      ...['restore', '--plan', `--root=${host.root}`],
      backup,
    ]);
    expect([code, stdout], stderr).toEqual([0, '']);
    const lines = stderr.split('\n');
    const nouns = lines.flatMap((line) => /^([a-z]+) {2,}/.exec(line)?.[1] ?? []);
    expect(nouns).toEqual([
      ...['backup', 'host', 'others', 'checks', 'plan'],
      ...['lost', 'undo', 'then'],
    ]);
    expect(lines[0]).toMatch(
      /^Last resort: if the API still returns data, bring single objects back/,
    );
    expect(stderr).toMatch(/^backup +\/.*\/snapshot_.*\.db, revision \d+, [\d.]+ kB$/m);
    expect(stderr).toMatch(new RegExp(`^host +${NODE} · OpenShift layout, the only member$`, 'm'));
    expect(stderr).toMatch(/^ +etcd 3\.6\.16 is running here, revision \d+, at https:/m);
    const steps = lines.flatMap((line) => /^ {2}(\d) {2}([a-z]+)/.exec(line)?.slice(1) ?? []);
    expect(steps).toEqual([
      ...['1', 'build', '2', 'stop', '3', 'keep', '4', 'place', '5', 'start', '6', 'watch'],
    ]);
    expect(stderr).toMatch(
      /^ +revisions continue above 1,000,000,\d{3}; all before is marked compacted/m,
    );
    expect(stderr).toMatch(/^lost +1 revision made since the snapshot, \d+ seconds? of changes$/m);
    for (const line of lines.slice(1)) {
      if (!line.includes('/')) expect(line.length, line).toBeLessThanOrEqual(120);
    }
  });

  it('says nothing with --quiet, and everything in one document', async () => {
    const scene = await openshiftScene();
    const line = ['restore', '--plan', '--quiet', `--root=${scene.host.root}`, scene.backup];
    expect(await runCli(line)).toEqual({ code: 0, stdout: '', stderr: '' });
    const { document } = await plan(scene);
    expect(Object.keys(document)).toEqual([
      ...['host', 'running', 'backup', 'others', 'stopCommand', 'encryptionKeys', 'lost'],
      ...['checks', 'skipped', 'plan'],
    ]);
    expect(document.running).toMatchObject({ revision: expect.stringMatching(/^\d+$/) as string });
  });

  it.each<[string, readonly string[], ErrorCode, RegExp]>([
    ['without a terminal', [], 'usage', /no terminal to ask on/],
    ['with both flags', ['--plan', '--yes'], 'usage', /contradict/],
    ['with a check that is none', ['--plan', '--skip-check=nope'], 'usage', /no check "nope"/],
    [
      'without a needed check',
      ['--plan', '--skip-check=other-members'],
      'usage',
      /cannot be left out/,
    ],
    [
      'by a script that is not there',
      ['--plan', '--method=vendor'],
      'usage',
      /cluster-restore\.sh/,
    ],
    ['with two endpoints', ['--plan', '--endpoints=a:1,b:2'], 'endpoint-not-single', /one/],
  ])('%s it is told so, and nothing is touched', async (_, flags, code, message) => {
    const { host, backup } = await openshiftScene();
    const outcome = await untouched(backup, () =>
      runCli(['restore', ...flags, `--root=${host.root}`, backup]),
    );
    expect(expectFailure(outcome, code, 2).message).toMatch(message);
  });

  it("by the host's own script: the plan is the script's, and needs its pair", async () => {
    const scene = await openshiftScene();
    await mkdir(scene.host.path('usr/local/bin'), { recursive: true });
    await writeFile(scene.host.path('usr/local/bin/cluster-restore.sh'), '#!/bin/sh\n');
    const { document, code, stderr } = await plan(scene, '--method=vendor');
    expect(code, stderr).toBe(0);
    expect(document.plan.method).toBe('vendor');
    expect(stderr).toMatch(
      /^ {2}2 {2}run +the host's own cluster-restore\.sh, on a directory with exactly/m,
    );
    expect(stderr).not.toContain('--rollback');
  });

  describe.skipIf(noTerminal !== '')(`on a terminal${noTerminal}`, () => {
    const after = `Type this host's name (${NODE}) to go on: `;

    const typed = async (keys: string) => {
      const { host, backup } = await openshiftScene();
      const { code, screen } = await untouched(host.path('etc'), () =>
        onTerminal(['restore', `--root=${host.root}`, backup], {}, { after, keys }),
      );
      // What readline and the progress line move the cursor by.
      const stderr = screen.replaceAll(/\x1b\[[0-9;]*[A-Za-z]|\r/g, '');
      return { code, stdout: '', stderr };
    };

    it.each([
      ['another name', 'master-0\r', '"master-0" is not the name of this host'],
      ['nothing', '\r', '"" is not the name of this host'],
    ])('%s ends it, and nothing was changed', async (_, keys, message) => {
      const failure = expectFailure(await typed(keys), 'not-confirmed', 3);
      expect([failure.message, failure.rows.get('name')]).toEqual([message, NODE]);
    });

    it('Ctrl-C ends it, and nothing was changed', async () => {
      expectFailure(await typed('\x03'), 'interrupted', 130);
    });
  });

  it.skipIf(noUser !== '')(`is for root${noUser}`, async () => {
    const { host, backup } = await openshiftScene();
    const line = ['restore', '--plan', `--root=${host.root}`, backup];
    expectFailure(await runCli(line, { uid: NOBODY }), 'not-root');
  });
});
