// The first screen of the README: one command on a laptop, on a real control plane, that ends with a proven backup there.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { shapeOf, shownParts } from '../readme-screen.ts';
import { describeWithNode, nodeForSuite } from '../servers/node/for-vitest.ts';

describeWithNode('the first screen of the README', () => {
  const node = nodeForSuite();

  it('shows what is printed, and a verified pair is there at the end', async () => {
    const [part, ...others] = await shownParts('etcdkeep backup --node auto --dest-dir backups');
    expect(others).toEqual([]);
    const [directory, cwd] = ['backups', directoryForTest()];
    const env = { KUBECONFIG: node().kubeconfig };
    const { code, stdout, stderr } = await runCli(part!.command, { cwd, env, timeoutMs: 120_000 });
    expect(code, stderr).toBe(0);
    const printed = `${stdout}\n${stderr}`.split('\n').map(shapeOf);
    for (const line of part!.shown) expect(printed, line).toContain(shapeOf(line));
    const names = readdirSync(join(cwd, directory)).sort();
    expect(names.map((name) => name.replace(/\d{4}-.*?(?=\.)/, 'STAMP'))).toEqual([
      'backup_STAMP.json',
      'snapshot_STAMP.db',
      'static_kuberesources_STAMP.tar.gz',
    ]);
    const verified = await runCli(['verify', directory], { cwd });
    expect(verified.code, verified.stderr).toBe(0);
    expect(verified.stdout).toContain('verdict               GOOD');
  });
});
