// backup --force: refuses nothing, and says in every name what that may have cost.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { runCli, startCli } from './run.ts';
import {
  directoryForTest,
  fill,
  hostForTest,
  isReceiving,
  LARGE_BYTES,
  recordIn,
} from './scene.ts';

const VERSION = '3.6.16';

describeWithEtcd(VERSION, '--force', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });

  it('refuses nothing, and marks all three files', async () => {
    const host = await hostForTest(etcd());
    await host.writeRevision('kube-apiserver', 15);
    const directory = directoryForTest();
    const args = ['backup', `--root=${host.root}`, '--strict', '--force', directory];
    const { code, stdout, stderr } = await runCli(args);
    expect(code, stderr).toBe(0);
    const names = (await readdir(directory)).toSorted();
    const stamp = /^backup_(.*)__POSSIBLY_DIRTY__\.json$/.exec(names[0]!)?.[1];
    expect(names).toEqual([
      `backup_${stamp}__POSSIBLY_DIRTY__.json`,
      `snapshot_${stamp}__POSSIBLY_DIRTY__.db`,
      `static_kuberesources_${stamp}__POSSIBLY_DIRTY__.tar.gz`,
    ]);
    expect(stdout).toContain(`Snapshot saved at ${join(directory, names[1]!)}`);
    const record = await recordIn(directory);
    expect(record.snapshot.file).toBe(names[1]);
    expect(record.checks.find(({ name }) => name === 'rollout')).toMatchObject({
      severity: 'refuse',
      result: 'failed',
    });
  });

  it('leaves what a killed run leaves, and the next run removes it', async () => {
    await fill(etcd(), LARGE_BYTES);
    const host = await hostForTest(etcd());
    const directory = directoryForTest();
    const run = startCli([
      'backup',
      `--root=${host.root}`,
      '--force',
      '--rate-limit=4MB',
      directory,
    ]);
    await run.waitUntil(() => isReceiving(directory));
    const staging = (await readdir(directory)).find((name) => name.startsWith('.etcdkeep-'))!;
    await run.end('SIGKILL');
    const [staged] = await readdir(join(directory, staging));
    const stamp = /snapshot_(.*)\.db/.exec(staged!)![1]!;
    // As if it had been killed between its moves.
    await writeFile(join(directory, `static_kuberesources_${stamp}.tar.gz`), '');
    const { code, stderr } = await runCli(['backup', `--root=${host.root}`, directory]);
    expect(code, stderr).toBe(0);
    expect(await readdir(directory)).toHaveLength(3);
  });
});
