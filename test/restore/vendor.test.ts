// The host's own script in the middle: on exactly our pair, with what it would destroy set aside, and watched afterwards.
// The script is a stand-in for OpenShift's (cluster-restore.stand-in.sh); it runs in the host's root, as the real one would.
import { chmod, copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RestorePlan } from '../../src/backup/restore/plan.ts';
import { expectFailure } from '../cli/failure.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { dataOf, sceneForSuite, VERSION, writeSince } from './host-scene.ts';
import { inHostsRoot, installProgram, noChroot, prepareRoot } from './machine-root.ts';

const STAND_IN = new URL('cluster-restore.stand-in.sh', import.meta.url).pathname;

describeWithEtcd(VERSION, 'a restore by the method of the vendor', () => {
  const scene = sceneForSuite('openshift');
  beforeAll(async () => {
    const { etcdutl } = await binariesOf(VERSION);
    await prepareRoot(scene());
    await copyFile(etcdutl!, scene().path('/opt/etcdutl'));
    await chmod(scene().path('/opt/etcdutl'), 0o755);
    await writeFile(scene().path('/etc/stand-in-name'), scene().nodeName);
    await writeFile(scene().path('/etc/stand-in-peer'), scene().cluster.member.peerUrl);
  });

  const install = (): Promise<void> => installProgram(scene(), 'cluster-restore.sh', STAND_IN);
  const plan = async (): Promise<RestorePlan> =>
    scene().plan(scene().nextStamp(), { method: 'vendor' });
  const keptByScript = (): string => scene().path('/var/lib/etcd-backup/member');

  describe.skipIf(noChroot !== undefined)(
    `on a host${noChroot === undefined ? '' : ` (not run: ${noChroot})`}`,
    () => {
      it('that has no such script is refused nothing but this method', async () => {
        const failure = expectFailure(
          await scene().carryOut(await plan(), { launcher: inHostsRoot(scene()) }),
          'vendor-script-failed',
          1,
        );
        expect(failure.rows.get('do')).toContain('--method direct');
        expect(failure.aftermath).toBe('Nothing was changed.');
        expect(await dataOf(scene().gateway)).toBe('before');
      });

      it('shows what the script says, gives it two files, and loses nothing that it would destroy', async () => {
        await install();
        const stamps: string[] = [];
        for (const time of [1, 2]) {
          const one = await plan();
          stamps.push(one.stamp);
          const outcome = await scene().carryOut(one, { launcher: inHostsRoot(scene()) });
          expect(outcome, outcome.stderr).toMatchObject({ code: 0, stderr: '' });
          for (const line of [
            'files: 2',
            '...stopping etcd-pod.yaml',
            'SNAPSHOT RESTORE COMPLETED',
          ]) {
            expect(outcome.stdout).toContain(JSON.stringify({ kind: 'script-output', line }));
          }
          expect(outcome.stdout).not.toContain('removing previous backup');
          expect(await dataOf(scene().gateway)).toBe('backup');
          expect(await readdir(keptByScript())).toContain('snap');
          if (time === 1) await writeSince(scene().gateway);
        }
        // What the first run had kept is still there.
        expect(await readdir(dirname(keptByScript()))).toContain(`member-before-${stamps[1]!}`);
        expect(
          await readdir(scene().path(`/var/lib/etcdkeep/restores/${stamps[1]!}`)),
        ).not.toContain('pair');
      });

      it('that fails half way: how far it came is shown, and what it moved is put back', async () => {
        await writeSince(scene().gateway);
        await writeFile(scene().path('/etc/stand-in-fails'), 'yes');
        const text = await readFile(scene().manifest, 'utf8');
        const one = await plan();
        const outcome = await scene().carryOut(one, { launcher: inHostsRoot(scene()) });
        const failure = expectFailure(outcome, 'vendor-script-failed', 1);
        expect(failure.message).toBe('cluster-restore.sh ended with 2');
        expect(outcome.stdout).toContain('tar: made to fail');
        const resumed = expectFailure(await scene().resume(one.stamp), 'restore-unfinished', 3);
        expect(resumed.rows.get('do')).toContain(`--rollback ${one.stamp}`);
        expect(await scene().rollBack(one.stamp)).toMatchObject({ code: 0, stderr: '' });
        await scene().waitUntilHealthy();
        expect(await dataOf(scene().gateway)).toBe('before');
        expect(await readFile(scene().manifest, 'utf8')).toBe(text);
        await rm(scene().path('/etc/stand-in-fails'));
      });

      it('a run that the script has finished is not taken back', async () => {
        const one = await plan();
        expect(await scene().carryOut(one, { launcher: inHostsRoot(scene()) })).toMatchObject({
          code: 0,
        });
        const failure = expectFailure(await scene().rollBack(one.stamp), 'restore-served', 3);
        expect(failure.rows.get('do')).toContain('etcdkeep restore /var/lib/etcd-backup/member');
      });
    },
  );
});
