// The screen in the README of what follows on a backup: its commands are run, and each line of it is one that they print.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { shapeOf, shownParts } from '../readme-screen.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { createScene, type Scene, VERSION } from './host-scene.ts';

const SHOWN_DIRECTORY = '/home/core/assets/backup';

describeWithEtcd(VERSION, 'the screen in the README', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await createScene('openshift');
  });
  afterAll(() => scene.stop());

  it('shows what is printed', async () => {
    const parts = await shownParts('etcdkeep verify ');
    const directory = directoryForTest();
    const { etcd } = await binariesOf(VERSION);
    const more: Readonly<Record<string, readonly string[]>> = {
      drill: [`--etcd=${etcd}`],
      restore: [`--root=${scene.root}`, '--yes'],
    };
    const backup = await runCli(['backup', directory, `--root=${scene.root}`]);
    expect(backup.code, backup.stderr).toBe(0);
    expect(parts).toHaveLength(3);
    for (const {
      command: [name = '', place],
      shown,
    } of parts) {
      expect(place).toBe(SHOWN_DIRECTORY);
      const { code, stdout, stderr } = await runCli([name, directory, ...(more[name] ?? [])]);
      expect(code, stderr).toBe(0);
      const printed = `${stdout}\n${stderr}`.split('\n').map(shapeOf);
      for (const one of shown) expect(printed, one).toContain(shapeOf(one));
    }
  });
});
