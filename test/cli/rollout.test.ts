// A revision is rolled out while the backup is taken: what is archived is what the host runs at the end.
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import type { BackupRecord } from '../../src/record/schema.ts';
import { runCommand } from '../servers/command.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { startCli } from './run.ts';
import { directoryForTest, fill, hostForTest, LARGE_BYTES, usedDirectory } from './scene.ts';
import { untouched } from './untouched.ts';

const VERSION = '3.6.16';

describeWithEtcd(VERSION, 'a backup during a rollout', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  beforeAll(() => fill(etcd(), LARGE_BYTES));

  it('archives the new revision, and says so', async () => {
    const host = await hostForTest(etcd());
    const directory = directoryForTest();
    const run = startCli([
      ...['backup', '--output=text', `--root=${host.root}`, '--rate-limit=8MB', directory],
    ]);
    await run.waitUntil(() => run.stdout.includes('found latest etcd-pod'));
    await host.rollOut('kube-apiserver');
    const { code, stdout, stderr } = await run.outcome;
    expect(code, stderr).toBe(0);
    const lines = stdout.split('\n').filter((line) => line.includes('kube-apiserver-pod'));
    const path = '/etc/kubernetes/static-pod-resources/kube-apiserver-pod';
    expect(lines).toEqual(
      [14, 15].map((revision) => `found latest kube-apiserver-pod: ${path}-${revision}`),
    );
    // The second line is the last word before the snapshot is called saved.
    expect(stdout.indexOf(lines[1]!)).toBeLessThan(stdout.indexOf('Snapshot saved at'));

    const stamp = /snapshot_(.*)\.db/.exec(stdout)![1]!;
    const archive = join(directory, `static_kuberesources_${stamp}.tar.gz`);
    const { stdout: names } = await runCommand('tar', ['-tzf', archive]);
    expect(names).toContain('static-pod-resources/kube-apiserver-pod-15/');
    expect(names).not.toContain('kube-apiserver-pod-14');
    const { default: record } = (await import(join(directory, `backup_${stamp}.json`), {
      with: { type: 'json' },
    })) as { default: BackupRecord };
    const pod = record.resources.pods.find(({ name }) => name === 'kube-apiserver-pod');
    expect(pod).toMatchObject({ revision: 15, path: `${path}-15` });
  });

  it('that does not end is given up, with nothing left', async () => {
    const host = await hostForTest(etcd());
    const directory = await usedDirectory();
    const outcome = await untouched(directory, async () => {
      const run = startCli(['backup', `--root=${host.root}`, directory]);
      const over = run.outcome.then(() => true);
      // An installer that writes one file again and again.
      do {
        const now = new Date();
        await utimes(join(host.resources('etcd'), 'etcd-pod.yaml'), now, now);
      } while (!(await Promise.race([over, nextTurn(false)])));
      return run.outcome;
    });
    const failure = expectFailure(outcome, 'resources-changing');
    expect(failure.aftermath).toContain('the earlier backup');
    expect(outcome.stderr.match(/^warning .*archiving them again$/gm)).toHaveLength(3);
  });
});
