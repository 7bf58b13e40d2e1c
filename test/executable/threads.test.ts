// A snapshot so large that its digest has a thread of its own: its module is inside the executable.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCli } from '../cli/run.ts';
import { directoryForTest, fill } from '../cli/scene.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';

/** Above THREAD_FROM of src/base/sha256.ts. */
const SIZE = 40 << 20;

describeWithEtcd('3.6.16', 'a snapshot of 40 MB', () => {
  const etcd = etcdForSuite({ version: '3.6.16' });

  it('is saved and verified; a byte that is changed afterwards is found', async () => {
    await fill(etcd(), SIZE);
    const path = join(directoryForTest(), 'snapshot.db');
    const saved = await runCli(['snapshot', 'save', path, `--endpoints=${etcd().endpoint}`]);
    expect(saved.code, saved.stderr).toBe(0);
    const verified = await runCli(['verify', path]);
    expect(verified.code, verified.stderr).toBe(0);
    expect(verified.stdout).toMatch(/digest +equal to the trailer/);
    await using file = await open(path, 'r+');
    await file.write(Buffer.from('changed'), 0, 7, SIZE / 2);
    const again = await runCli(['verify', path]);
    expect(again.code).toBe(4);
    expect(again.stdout).toMatch(/digest +differs from the trailer/);
  });
});
