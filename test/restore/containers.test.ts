// What only the host's container runtime knows (a stand-in for crictl is asked), and what only a real kernel shows.

import { spawn, spawnSync } from 'node:child_process';
import { copyFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openFilesBelow } from '../../src/backup/open-files.ts';
import { expectFailure } from '../cli/failure.ts';
import { directoryForTest } from '../cli/scene.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { findOnPath } from '../servers/processes.ts';
import { dataOf, sceneForSuite, VERSION, writeSince } from './host-scene.ts';
import { inHostsRoot, installProgram, noChroot, prepareRoot } from './machine-root.ts';

const CRICTL = new URL('crictl.stand-in.sh', import.meta.url).pathname;
const LABEL = 'system_u:object_r:container_var_lib_t:s0';

function labelOf(path: string): string {
  const script =
    'import os, sys; print(os.getxattr(sys.argv[1], "security.selinux").decode().rstrip(chr(0)))';
  return spawnSync('python3', ['-c', script, path], { encoding: 'utf8' }).stdout.trim();
}

/** Why labels cannot be tried here: a kernel without SELinux may keep them all the same. */
const noLabels = ((): string | undefined => {
  const directory = temporaryDirectory();
  spawnSync('chcon', [LABEL, directory]);
  return labelOf(directory) === LABEL ? undefined : 'no label can be given and read here';
})();

const SHORT = { STOP_TIMEOUT_MS: '1500' };

describeWithEtcd(VERSION, 'containers', () => {
  const scene = sceneForSuite('openshift');
  const containers = (names: string): Promise<void> =>
    writeFile(scene().path('/etc/stand-in-containers'), names);
  beforeAll(async () => {
    await prepareRoot(scene());
    await installProgram(scene(), 'crictl', CRICTL);
  });
  beforeEach(async () => {
    await scene().waitUntilHealthy();
    if ((await dataOf(scene().gateway)) !== 'before') await writeSince(scene().gateway);
  });

  describe.skipIf(noChroot !== undefined)(
    `of the host${noChroot === undefined ? '' : ` (not run: ${noChroot})`}`,
    () => {
      it('one that still runs keeps etcd from being called stopped', async () => {
        await containers('etcd\n');
        const outcome = await scene().carryOut(await scene().plan(scene().nextStamp()), {
          launcher: inHostsRoot(scene()),
          env: SHORT,
        });
        const failure = expectFailure(outcome, 'etcd-still-running', 3);
        expect(failure.rows.get('still there')).toBe('container etcd runs');
        await scene().waitUntilHealthy();
        expect(await dataOf(scene().gateway)).toBe('before');
      });

      it('none runs: nothing about the stop is unknown', async () => {
        await containers('');
        const outcome = await scene().carryOut(await scene().plan(scene().nextStamp()), {
          launcher: inHostsRoot(scene()),
        });
        expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
        expect(outcome.stdout).toContain('{"kind":"stop-proven","unknown":[]}');
      });

      it('a runtime that does not answer: that is unknown, and the rest decides', async () => {
        await writeFile(scene().path('/etc/stand-in-crictl-fails'), '');
        const outcome = await scene().carryOut(await scene().plan(scene().nextStamp()), {
          launcher: inHostsRoot(scene()),
        });
        await rm(scene().path('/etc/stand-in-crictl-fails'));
        expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
        expect(outcome.stdout).toContain(
          '{"kind":"stop-proven","unknown":["containers: crictl cannot be asked"]}',
        );
      });

      it('the end of the log is shown where etcd does not serve, and that no container of it runs', async () => {
        await containers('');
        await scene().pods.stop();
        const plan = await scene().plan(scene().nextStamp(), { serveTimeoutMs: 200 });
        const failure = expectFailure(
          await scene().carryOut(plan, { launcher: inHostsRoot(scene()) }),
          'etcd-not-serving',
          5,
        );
        expect(failure.rows.get('log')).toBe('panic: what etcd said at its end');
        expect(failure.rows.get('observed')).toMatch(
          /^no container etcd runs yet; .*connection refused/,
        );
        expect(await scene().rollBack(plan.stamp)).toMatchObject({ code: 0 });
        scene().watchManifests();
      });

      it.skipIf(noLabels !== undefined)(
        `the SELinux label of the data of before is given to the new ones${noLabels === undefined ? '' : ` (not run: ${noLabels})`}`,
        async () => {
          const plan = await scene().plan(scene().nextStamp());
          const data = { ...plan.data, selinux: LABEL };
          const launcher = inHostsRoot(scene());
          expect(await scene().carryOut({ ...plan, data }, { launcher })).toMatchObject({
            code: 0,
          });
          for (const name of ['', 'snap/db', 'wal']) {
            expect(labelOf(scene().path(`/var/lib/etcd/member/${name}`))).toBe(LABEL);
          }
        },
      );

      it('a label that cannot be given: nothing is changed', async () => {
        const plan = await scene().plan(scene().nextStamp());
        const data = { ...plan.data, selinux: LABEL };
        // Without a program of the host there is nobody to give it.
        const failure = expectFailure(
          await scene().carryOut({ ...plan, data }),
          'target-unwritable',
          1,
        );
        expect(failure.message).toBe(`cannot label the new data ${LABEL}: there is no chcon`);
        expect(failure.aftermath).toBe('Nothing was changed.');
        expect(await dataOf(scene().gateway)).toBe('before');
      });
    },
  );
});

describe('open files', () => {
  it('a process that runs a program of a directory has it mapped', async () => {
    const directory = directoryForTest();
    const program = join(directory, 'program');
    await copyFile(findOnPath('sleep')!, program);
    const child = spawn(program, ['60']);
    onTestFinished(() => void child.kill('SIGKILL'));
    await new Promise((resolve) => child.once('spawn', resolve));
    expect(await openFilesBelow([directory])).toEqual([
      { pid: child.pid, program: 'program', path: program, how: 'mapped' },
    ]);
  });

  it('a directory that nobody uses, and one that is not there', async () => {
    expect(await openFilesBelow([directoryForTest(), '/not-there'])).toEqual([]);
  });
});
