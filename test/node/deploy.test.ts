// What deploy/ ships, on a real node as it stands there: the role, the CronJob with our image, the service's own command line.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { wantedPermissions } from '../../src/backup/remote/permissions.ts';
import type { LayoutName } from '../../src/controlplane/host.ts';
import {
  missingPermissions,
  type Permission,
  permissionWords,
} from '../../src/kubernetes/access-review.ts';
import { ApiClient } from '../../src/kubernetes/api-client.ts';
import { readKubeconfig } from '../../src/kubernetes/kubeconfig.ts';
import { execInPod } from '../../src/kubernetes/pod-exec.ts';
import { runCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { commandLines, readUnit, SERVICE } from '../cli/systemd-unit.ts';
import { EXECUTABLE, IMAGE } from '../executable/built.ts';
import { applyRole, roleObjects, roleText, withoutPermissions } from '../kubernetes/role.ts';
import type { CommandResult } from '../servers/command.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import { describeWithNode, nodeForSuite } from '../servers/node/for-vitest.ts';

const CRONJOB = fileURLToPath(new URL('../../deploy/cronjob.yaml', import.meta.url));
const INSTALLED = '/usr/local/bin/etcdkeep';

interface Place {
  readonly layout: LayoutName;
  /** Where etcd's pods are, and the account of the role with them. */
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

const PLACES: readonly Place[] = [
  {
    layout: 'openshift',
    namespace: 'openshift-etcd',
    pod: 'etcd-master-0',
    container: 'etcdctl',
  },
  { layout: 'kubeadm', namespace: 'kube-system', pod: 'etcd-cp-1', container: 'etcd' },
];

const scopeOf = ({ layout, namespace }: Place) => ({
  layout,
  etcdNamespace: namespace,
  podNamespace: namespace,
});

for (const place of PLACES) {
  describeWithNode(`what deploy/ ships, on a node of ${place.layout}`, () => {
    const node = nodeForSuite({ layout: place.layout });
    const must = async (outcome: Promise<CommandResult>): Promise<string> => {
      const { code, stdout, stderr } = await outcome;
      expect(code, stdout + stderr).toBe(0);
      return stdout;
    };
    const kubectl = (...args: string[]): Promise<string> => must(node().kubectl(args));
    /** What of a run is in the file that the node exporter reads. */
    const metrics = (directory: string): string =>
      readFileSync(node().path(directory, 'etcdkeep.prom'), 'utf8');
    const TEXTFILES = '/var/lib/node_exporter/textfile_collector';

    beforeAll(() => copyFileSync(EXECUTABLE, node().path(INSTALLED)));

    /** Names in a directory of the node, without what differs from backup to backup. */
    const namesIn = (directory: string): string[] =>
      readdirSync(node().path(directory))
        .map((name) => name.replace(/\d{4}-.*?(?=\.)/, ''))
        .sort();
    const PAIR = ['backup_.json', 'snapshot_.db', 'static_kuberesources_.tar.gz'];

    // The account of the role, by a token as an administrator makes one for it.
    const kubeconfig = join(temporaryDirectory(), 'kubeconfig');
    beforeAll(async () => {
      const role = join(temporaryDirectory(), 'rbac.yaml');
      writeFileSync(role, roleText(place.layout));
      await kubectl('apply', '-f', role);
      const token = await kubectl('create', 'token', 'etcdkeep-backup', '-n', place.namespace);
      copyFileSync(node().kubeconfig, kubeconfig);
      const setting = [
        ['set-credentials', 'role', `--token=${token.trim()}`],
        ['set-context', '--current', '--user=role'],
      ];
      for (const args of setting) {
        await must(node().kubectl(['--kubeconfig', kubeconfig, 'config', ...args]));
      }
    });
    const asAccount = async (): Promise<ApiClient> => {
      const text = readFileSync(kubeconfig, 'utf8');
      const access = await readKubeconfig(text, kubeconfig, () =>
        Promise.reject(new Error('none')),
      );
      const { signal } = new AbortController();
      const api = new ApiClient(access, { proxy: undefined, timeoutMs: 20_000, signal });
      onTestFinished(() => api.close());
      return api;
    };
    /** Takes permissions away until the test is over, and waits until the API server goes by that. */
    const forbid = async (api: ApiClient, taken: readonly Permission[]): Promise<void> => {
      const whole = roleObjects(place.layout);
      await applyRole(node().api, withoutPermissions(whole, taken));
      onTestFinished(() => applyRole(node().api, whole));
      await vi.waitFor(async () => expect(await missingPermissions(api, taken)).toEqual(taken), {
        timeout: 20_000,
        interval: 50,
      });
    };
    const backUp = (directory: string, ...flags: string[]): Promise<CommandResult> =>
      runCli(
        [
          'backup',
          '--node=auto',
          `--dest-dir=${directory}`,
          `--kubeconfig=${kubeconfig}`,
          ...flags,
        ],
        {
          timeoutMs: 120_000,
        },
      );

    it('the role is enough for a whole backup, of which Prometheus is told', async () => {
      const directory = directoryForTest();
      const file = join(directoryForTest(), 'etcdkeep.prom');
      const outcome = await backUp(directory, `--metrics-file=${file}`);
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(readFileSync(file, 'utf8')).toContain('\netcdkeep_backup_verdict 1\n');
      expect(outcome.stderr).not.toContain('may not');
      expect(readdirSync(directory)).toHaveLength(3);
      const managed = ['-A', '-l', 'app.kubernetes.io/managed-by=etcdkeep'];
      expect(await kubectl('get', 'pods', ...managed, '--no-headers')).toBe('');
    });

    it('without what can be done without, there is a backup all the same', async () => {
      const wanted = wantedPermissions(scopeOf(place));
      await forbid(await asAccount(), wanted);
      const directory = directoryForTest();
      const outcome = await backUp(directory);
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(outcome.stderr).toContain(
        `the user may not ${wanted.map(permissionWords).join(', ')}: what that is for is left out`,
      );
      expect(readdirSync(directory)).toHaveLength(3);
    });

    it.each(['create', 'get'])(
      'a command in a pod takes %s, and the other does not do',
      async (verb) => {
        const api = await asAccount();
        const { namespace, pod, container } = place;
        const exec = () =>
          execInPod(api, {
            ...{ namespace, pod, container },
            command: ['etcdctl', 'version'],
            hasStdin: false,
            signal: new AbortController().signal,
          });
        const { exit, stdout, stderr } = await exec();
        stdout.resume();
        stderr.resume();
        expect(await exit).toBe(0);
        await forbid(api, [{ verb, group: '', resource: 'pods/exec', namespace }]);
        await expect(exec()).rejects.toMatchObject({ code: 'api-forbidden', status: 403 });
      },
    );

    it('the CronJob takes a backup with our image, and it verifies', async () => {
      mkdirSync(node().path('/root/images'), { recursive: true });
      copyFileSync(IMAGE, node().path('/root/images/etcdkeep.tar'));
      const load = [
        'ctr',
        '--namespace',
        'k8s.io',
        'images',
        'import',
        '/root/images/etcdkeep.tar',
      ];
      await must(node().run(load));
      await kubectl('apply', '-f', CRONJOB);
      await kubectl('-n', 'etcdkeep', 'create', 'job', '--from=cronjob/etcdkeep-backup', 'first');
      const done = ['wait', '--for=condition=complete', '--timeout=90s', 'job/first'];
      await kubectl('-n', 'etcdkeep', ...done);
      expect(await kubectl('-n', 'etcdkeep', 'logs', 'job/first')).toContain(
        'snapshot db and kube resources are successfully saved to /host/var/backups/etcd\n',
      );
      expect(namesIn('/var/backups/etcd')).toEqual(PAIR);
      await must(node().run([INSTALLED, 'verify', '/var/backups/etcd']));
      expect(metrics(TEXTFILES)).toContain('\netcdkeep_backup_verdict 1\n');
    });

    it("the service's own commands take one, with no more than the unit leaves them", async () => {
      const [make, take] = commandLines(readUnit(SERVICE), { TEXTFILE_DIR: '/var/lib/textfiles' });
      await must(node().run(make!));
      const stdout = await must(node().run([...confinement(), ...take!]));
      expect(stdout).toContain('successfully saved to /home/core/assets/backup\n');
      expect(namesIn('/home/core/assets/backup')).toEqual(PAIR);
      await must(node().run([INSTALLED, 'verify', '/home/core/assets/backup']));
      expect(metrics('/var/lib/textfiles')).toContain('\netcdkeep_backup_last_exit_code 0\n');
    });

    it('goes elsewhere, with more flags, where its environment file says so', async () => {
      const [make, take] = commandLines(readUnit(SERVICE), {
        BACKUP_DIR: '/var/backups/data',
        BACKUP_FLAGS: '--static-resources-dir /var/backups/keys --rate-limit 50MB',
      });
      await must(node().run(make!));
      await must(node().run([...confinement(), ...take!]));
      expect(namesIn('/var/backups/data')).toEqual(PAIR.slice(0, 2));
      expect(namesIn('/var/backups/keys')).toEqual(PAIR.slice(2));
    });
  });
}

const READ_ONLY = `
for directory in /usr /etc; do
  mount --bind $directory $directory && mount -o remount,bind,ro $directory || exit
done
exec "$@"`;

/** What stands before a command that is to have what the unit leaves it, as far as that can be had without systemd. */
function confinement(): string[] {
  const service = readUnit(SERVICE);
  expect(service('ProtectSystem')).toEqual(['full']);
  expect(service('NoNewPrivileges')).toEqual(['yes']);
  const capabilities = service('CapabilityBoundingSet')
    .flatMap((line) => line.split(' '))
    .map((name) => `+${name.replace(/^CAP_/, '').toLowerCase()}`);
  return [
    ...['unshare', '--mount', 'sh', '-c', READ_ONLY, 'sh'],
    ...['setpriv', '--no-new-privs', '--bounding-set', ['-all', ...capabilities].join(','), '--'],
  ];
}
