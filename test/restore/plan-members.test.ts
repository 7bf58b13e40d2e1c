// Whether another member lives: three real ones, of which two are killed, frozen, or left alone.
import { mkdir, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { expectFailure } from '../cli/failure.ts';
import { runCli } from '../cli/run.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { NODES, openshiftScene, plan, VERSION } from './plan-scene.ts';

const [, SECOND, THIRD] = NODES;

describeWithEtcd(VERSION, 'the other members, before a restore', () => {
  it('one that lives refuses; frozen it is unknown, and has to be named; stopped it is nothing to worry about', async () => {
    const scene = await openshiftScene({ size: 3 });
    const [, second, third] = scene.etcd.members;

    const alive = await plan(scene);
    expect(alive.document.others).toMatchObject([
      { name: SECOND, state: 'alive' },
      { name: THIRD, state: 'alive' },
    ]);
    expect(alive.check('other-members').evidence).toContain(`${SECOND} is ALIVE`);
    const failure = expectFailure(alive, 'check-failed', 3);
    expect(failure.rows.get('do')).not.toContain('--skip-check');
    expect(failure.aftermath).toBe('Nothing was changed.');

    // No word of the administrator's stands against what is seen.
    const denied = await plan(scene, '--member-stopped', SECOND, '--member-stopped', THIRD);
    expect(denied.document.others.map(({ state }) => state)).toEqual(['alive', 'alive']);
    expect(denied.code).toBe(3);

    await second!.kill();
    third!.signal('SIGSTOP');
    const frozen = await plan(scene);
    expect(frozen.document.others).toMatchObject([
      {
        name: SECOND,
        state: 'stopped',
        seen: expect.stringMatching(/:2379 and 2380: refuses$/) as string,
      },
      {
        name: THIRD,
        state: 'unknown',
        seen: expect.stringContaining(
          'accepts the connection and says nothing within 3 s',
        ) as string,
      },
    ]);
    expectFailure(frozen, 'check-failed', 3);
    const screen = await runCli(['restore', '--plan', `--root=${scene.host.root}`, scene.backup]);
    expect(screen.stderr).toMatch(new RegExp(`^others +${SECOND} +stopped `, 'm'));
    expect(screen.stderr).toContain(`confirm with --member-stopped ${THIRD} once it is stopped`);
    expect(screen.stderr).toContain(
      '  sudo mkdir -p /home/core/assets/manifests-stopped && sudo mv /etc/kubernetes/manifests/etcd-pod.yaml',
    );

    const attested = await plan(scene, '--member-stopped', THIRD);
    expect(attested.code, attested.stderr).toBe(0);
    expect(attested.check('other-members')).toEqual({
      result: 'passed',
      evidence: expect.stringContaining(`${THIRD} is stopped by your word`) as string,
    });

    await third!.kill();
    const stopped = await plan(scene);
    expect(stopped.code, stopped.stderr).toBe(0);
    expect(stopped.document.others.map(({ state }) => state)).toEqual(['stopped', 'stopped']);
    // This host's own member has no quorum any more, and is asked all the same.
    expect(stopped.document.running).toMatchObject({ version: VERSION });
    expect(stopped.check('same-cluster').result).toBe('passed');
  });

  it('of this host itself, frozen, is none of them: its data is read where it lies', async () => {
    const scene = await openshiftScene();
    scene.etcd.member.signal('SIGSTOP');
    const outcome = await plan(scene);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.document.running).toBeUndefined();
    expect(outcome.document.notRunning).toMatch(/cannot reach etcd at .*5 s/);
    expect(outcome.check('same-cluster').evidence).toMatch(
      /^the snapshot and the data in \/var\/lib\/etcd agree/,
    );
  });

  it('that was added and has never started goes by its id', async () => {
    const scene = await openshiftScene();
    const peerURLs = [`https://${scene.etcd.member.address}:1`];
    await scene.etcd.gateway.call('/v3/cluster/member/add', { peerURLs, isLearner: true });
    const outcome = await plan(scene);
    expect(outcome.document.others).toEqual([
      {
        name: expect.stringMatching(/^[0-9a-f]{12,16}$/) as string,
        urls: peerURLs,
        state: 'stopped',
        seen: expect.stringMatching(/:1: refuses$/) as string,
      },
    ]);
    expect(outcome.code, outcome.stderr).toBe(0);
  });

  it('that nobody knows cannot be attested', async () => {
    const scene = await openshiftScene();
    const line = ['restore', '--plan', `--root=${scene.host.root}`, scene.backup];
    const alone = await runCli([...line, '--member-stopped', 'master-9']);
    const failure = expectFailure(alone, 'usage', 2);
    expect(failure.message).toBe('--member-stopped names "master-9", which is no other member');
  });

  it('whose address nobody can reach is unknown; the line for its host is that of a newer OpenShift', async () => {
    const scene = await openshiftScene();
    await scene.host.changeEtcdEnv({
      NODE_gone_ETCD_NAME: 'gone',
      NODE_gone_ETCD_URL_HOST: 'no-such-host.invalid',
      NODE_gone_IP: 'no-such-host.invalid',
    });
    await mkdir(scene.host.path('usr/local/bin'), { recursive: true });
    await writeFile(scene.host.path('usr/local/bin/disable-etcd.sh'), '#!/bin/sh\n');
    const unknown = await plan(scene);
    expect(unknown.document.others).toMatchObject([
      {
        name: 'gone',
        state: 'unknown',
        seen: expect.stringContaining('does not resolve') as string,
      },
    ]);
    expect(unknown.document.stopCommand).toBe('sudo -E /usr/local/bin/disable-etcd.sh');
    expectFailure(unknown, 'check-failed', 3);
    expect((await plan(scene, '--member-stopped=gone')).code).toBe(0);
  });

  it('is dialled even where only the snapshot names it', async () => {
    const scene = await openshiftScene({ size: 3 });
    const { host } = scene;
    const [first, second, third] = scene.etcd.members;
    const own = Object.fromEntries(
      [SECOND, THIRD].flatMap((name) =>
        ['ETCD_NAME', 'ETCD_URL_HOST', 'IP'].map((kind) => [
          `NODE_${name.replaceAll(/[-.]/g, '_')}_${kind}`,
          undefined,
        ]),
      ),
    );
    await host.changeEtcdEnv(own);
    await first!.kill();
    await second!.kill();
    const outcome = await plan(scene);
    expect(outcome.document.notRunning).toMatch(/refused the connection|connection refused/i);
    expect(outcome.document.others).toMatchObject([
      { name: SECOND, state: 'stopped' },
      { name: THIRD, state: 'alive' },
    ]);
    await third!.kill();
    expect((await plan(scene)).code).toBe(0);
  });
});
