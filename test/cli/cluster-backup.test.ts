// The drop-ins: OpenShift's scripts by their names, arguments, lines and exit codes, on a host whose files
// are where the real ones have them.
import { spawnSync } from 'node:child_process';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkBackup } from '../demo/check-backup.ts';
import { createKubeadmHost } from '../fixtures/kubeadm-host.ts';
import type { OpenshiftHost } from '../fixtures/openshift-host.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { namespacesMissing, runAsHost } from './host-namespace.ts';
import { ETCDKEEP, runCli } from './run.ts';
import { directoryForTest, hostForTest, usedDirectory } from './scene.ts';
import { untouched } from './untouched.ts';

const VERSION = '3.6.16';
const missing = namespacesMissing();
const NOBODY = 65_534;
const { status } = spawnSync(ETCDKEEP, ['--version'], { uid: NOBODY, gid: NOBODY });
const noUser = status === 0 ? undefined : ' (not run: another user cannot read this tree)';
const bin = (name: string): string => fileURLToPath(new URL(`../../bin/${name}`, import.meta.url));
const NAMES = ['cluster-backup.sh', 'etcd-snapshot-backup.sh'] as const;

const USAGE = 'Path to backup dir required: ./cluster-backup.sh [--force] <path-to-backup-dir>\n';
const NO_DEPENDENCIES =
  'required dependencies not found, please ensure this script is run on a node with a functional etcd static pod\n';
const KUBERNETES = '/etc/kubernetes/static-pod-resources';
const BUNDLE = 'configmaps/etcd-all-bundles/server-ca-bundle.crt';

/** What the script of 4.11 and later prints on a host before anything can go wrong. */
const CERTIFICATE = [
  `Certificate /etc/kubernetes/static-pod-certs/${BUNDLE} is missing. Checking in different directory`,
  `Certificate ${KUBERNETES}/etcd-certs/${BUNDLE} found!`,
];
const FOUND = [
  `found latest kube-apiserver: ${KUBERNETES}/kube-apiserver-pod-14`,
  `found latest kube-controller-manager: ${KUBERNETES}/kube-controller-manager-pod-9`,
  `found latest kube-scheduler: ${KUBERNETES}/kube-scheduler-pod-6`,
  `found latest etcd: ${KUBERNETES}/etcd-pod-7`,
];

describe.skipIf(missing !== undefined)(
  `a drop-in${missing === undefined ? '' : ` (not run: ${missing})`}`,
  () => {
    describe.each(NAMES)('%s', (name) => {
      describeWithEtcd(VERSION, 'on a master', () => {
        const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
        const run = (host: OpenshiftHost, ...args: string[]) => runAsHost(host, bin(name), args);

        it('--force DIR: the lines of the script, and two files that are possibly dirty', async () => {
          const directory = join(directoryForTest(), 'assets/backup');
          const { code, stdout, stderr } = run(await hostForTest(etcd()), '--force', directory);
          expect(code, stderr).toBe(0);
          const lines = stdout.split('\n');
          expect(lines.slice(0, 6)).toEqual([...CERTIFICATE, ...FOUND]);
          expect(lines.slice(6)).toEqual([
            expect.stringMatching(/^etcdkeep version: /),
            `etcd version: ${VERSION}`,
            expect.stringMatching(
              new RegExp(
                `^Snapshot saved at ${directory}/snapshot_[-0-9_]{17}__POSSIBLY_DIRTY__\\.db$`,
              ),
            ),
            'Server version 3.6.0',
            expect.stringMatching(
              /^\{"hash":\d+,"revision":\d+,"totalKey":\d+,"totalSize":\d+,"version":"3\.6\.0"\}$/,
            ),
            `snapshot db and kube resources are successfully saved to ${directory}`,
            '',
          ]);
          expect(
            (await readdir(directory)).every((file) => file.includes('__POSSIBLY_DIRTY__')),
          ).toBe(true);
        });

        it('refuses with an API server that is down, and names the way out', async () => {
          const directory = await usedDirectory();
          const host = await hostForTest(etcd());
          const outcome = await untouched(directory, () => Promise.resolve(run(host, directory)));
          expectFailure(outcome, 'api-unreachable');
          expect(outcome.stdout.split('\n')).toEqual([
            ...CERTIFICATE,
            'Could not find the status of the kube-apiserver. Check if the API server is running. Pass the --force flag to skip checks.',
            '',
          ]);
        });

        it('refuses where there is no kubeconfig for it', async () => {
          const host = await hostForTest(etcd());
          await rm(host.kubeconfig);
          const outcome = run(host, directoryForTest());
          expectFailure(outcome, 'kubeconfig-missing');
          expect(outcome.stdout).toContain(
            '\nValid kubeconfig is not found in kube-apiserver-certs. Exiting!\n',
          );
        });

        it.each<[string, (host: OpenshiftHost) => Promise<void>, string]>([
          [
            'a pod without a manifest',
            (host) => host.removeManifest('etcd'),
            'error finding manifests for the etcd pod. please check if it is running.\n',
          ],
          [
            'a manifest without a revision',
            (host) => writeFile(host.manifest('etcd'), 'kind: Pod\n'),
            'error finding static-pod-resources for the etcd pod. please check if it is running.\n',
          ],
          ['no etcd.env', (host) => rm(host.etcdEnv), NO_DEPENDENCIES],
          [
            'no authority anywhere',
            (host) => rm(join(host.etcdCerts, BUNDLE)),
            `Certificate ${KUBERNETES}/etcd-certs/${BUNDLE} is also missing in the second directory. Exiting!\n`,
          ],
        ])('says of %s what the script says', async (_, spoil, line) => {
          const host = await hostForTest(etcd());
          await spoil(host);
          const directory = await usedDirectory();
          const { code, stdout, stderr } = await untouched(directory, () =>
            Promise.resolve(run(host, '--force', directory)),
          );
          expect(code).toBe(1);
          expect(stdout).toContain(line);
          expect(stderr).toMatch(/^Error: /);
        });

        it('takes --force as the first word alone', async () => {
          const { code, stdout } = run(await hostForTest(etcd()), directoryForTest(), '--force');
          expect(code).toBe(1);
          expect(stdout).toContain('Pass the --force flag');
        });
      });

      it.each([[[]], [['']], [['--force']], [['--help']], [[bin(name)]]])(
        '%j is no directory: usage, exit 1',
        (args) => {
          const { status, stdout } = spawnSync(bin(name), args, { encoding: 'utf8' });
          expect([status, stdout]).toEqual([1, USAGE]);
        },
      );

      it.skipIf(noUser !== undefined)(`wants to be root${noUser ?? ''}`, () => {
        const { status, stdout } = spawnSync(bin(name), ['/tmp/x'], {
          encoding: 'utf8',
          uid: 65_534,
          gid: 65_534,
        });
        expect([status, stdout]).toEqual([1, 'This script must be run as root\n']);
      });
    });

    describeWithEtcd(VERSION, 'on a kubeadm host', () => {
      const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
      it('has nothing to take the place of', async () => {
        const host = await createKubeadmHost(etcd());
        try {
          const { code, stdout } = runAsHost(host, bin('cluster-backup.sh'), [directoryForTest()]);
          expect([code, stdout]).toEqual([1, NO_DEPENDENCIES]);
        } finally {
          host.remove();
        }
      });
    });
  },
);

describeWithEtcd(VERSION, "cluster-restore.sh's two globs", () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });

  it.each([
    [[], ''],
    [['--force'], '__POSSIBLY_DIRTY__'],
  ])('match exactly our two files in a fresh directory: backup %j', async (flags, dirty) => {
    const host = await hostForTest(etcd());
    const directory = directoryForTest();
    const { code, stderr } = await runCli(['backup', `--root=${host.root}`, ...flags, directory]);
    expect(code, stderr).toBe(0);
    // cluster-etcd-operator, bindata/etcd/cluster-restore.sh.
    const globs = 'ls -vd "$1"/static_kuberesources*.tar.gz; ls -vd "$1"/snapshot*.db';
    const { stdout } = spawnSync('bash', ['-c', globs, 'bash', directory], { encoding: 'utf8' });
    const stamp = `\\d{4}-\\d\\d-\\d\\d_\\d{6}${dirty}`;
    expect(stdout).toMatch(
      new RegExp(
        `^${directory}/static_kuberesources_(${stamp})\\.tar\\.gz\n${directory}/snapshot_\\1\\.db\n$`,
      ),
    );
    await checkBackup(directory, await binariesOf(VERSION), () => undefined);
  });
});
