// The plan of a restore where nothing is wrong: what it says, and that it changes nothing.
import { expect, it } from 'vitest';
import { runCli } from '../cli/run.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { openshiftScene, plan, VERSION } from './scene.ts';

describeWithEtcd(VERSION, 'the plan of a restore', () => {
  it('of an OpenShift host with one master', async () => {
    const scene = await openshiftScene();
    const outcome = await plan(scene);
    console.log(outcome.stdout);
    const { stderr } = await runCli([
      'restore',
      '--plan',
      `--root=${scene.host.root}`,
      scene.backup,
    ]);
    console.log(stderr);
    expect(outcome.code).toBe(0);
  });
});
