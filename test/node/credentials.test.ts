// Who takes a backup from a workstation, and through what: credentials of every kind, two users at once, a proxy.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { expectFailure } from '../cli/failure.ts';
import { runCli, startCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import {
  describeWithNode,
  describeWithTinyproxy,
  nodeForSuite,
} from '../servers/node/for-vitest.ts';
import { EXPIRED } from '../servers/pki.ts';
import { startTinyproxy } from '../servers/tinyproxy.ts';
import { leftOn, said, through } from './remote-run.ts';

const EXEC_CREDENTIAL = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential' };
const PROXY = '/apis/config.openshift.io/v1/proxies/cluster';

/** A token that ends within a run, however short. */
const TOKEN_MS = 1000;
const LONG = { timeoutMs: 120_000 };
const PASSWORD = 'correct-horse';

describeWithNode('a backup from a workstation', () => {
  // Nothing that does not tolerate everything runs there.
  const node = nodeForSuite({ taints: [{ key: 'maintenance', effect: 'NoExecute' }] });
  const place = temporaryDirectory();
  beforeAll(() => () => removeTemporaryDirectory(place));

  /** A kubeconfig whose path has spaces. */
  function kubeconfigOf(text: string): string {
    const path = join(directoryForTest(), 'a kubeconfig');
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }
  const certificateOf = async (name: string, valid = {}): Promise<string> =>
    kubeconfigOf(await node().pki.kubeconfig(node().api.url, { name, valid }));

  it('with a certificate that has expired: said, and when', async () => {
    const kubeconfig = await certificateOf('alice', EXPIRED);
    const outcome = await runCli(
      through(node(), `--kubeconfig=${kubeconfig}`, '--dest-dir', directoryForTest()),
    );
    expect(expectFailure(outcome, 'api-unauthorized').message).toBe(
      `the API server answered 401: Unauthorized; the client certificate has expired, on ${seconds(EXPIRED.notAfter)}`,
    );
  });

  it('of who may do nothing: all that is missing is named, and nothing was begun', async () => {
    const kubeconfig = await certificateOf('alice');
    const outcome = await runCli(
      through(node(), `--kubeconfig=${kubeconfig}`, '--dest-dir', directoryForTest()),
    );
    expect(expectFailure(outcome, 'permission-missing', 3).message).toBe(
      'the user may not list nodes, list pods in openshift-etcd, create pods in openshift-etcd, ' +
        'get pods in openshift-etcd, delete pods in openshift-etcd, ' +
        'create pods/exec in openshift-etcd, get pods/exec in openshift-etcd',
    );
    expect(await leftOn(node())).toEqual([]);
  });

  it('with a program for its tokens, which is asked again when one has ended', async () => {
    await node().kubectl(['create', 'serviceaccount', 'backup']);
    const binding = ['--clusterrole=cluster-admin', '--serviceaccount=default:backup'];
    await node().kubectl(['create', 'clusterrolebinding', 'backup', ...binding]);
    const { stdout: token } = await node().kubectl(['create', 'token', 'backup']);
    const plugin = join(directoryForTest(), 'a plugin');
    const calls = `${plugin} was called`;
    const answer = { token: token.trim(), expirationTimestamp: 'MOMENT' };
    const text = JSON.stringify({ ...EXEC_CREDENTIAL, status: answer });
    writeFileSync(
      plugin,
      `#!/bin/sh
echo >> '${calls}'
sed "s/MOMENT/$(date -u -d "+${TOKEN_MS / 1000} seconds" +%FT%TZ)/" <<'END'
${text}
END
`,
      { mode: 0o700 },
    );
    const kubeconfig = withUser({
      exec: { apiVersion: EXEC_CREDENTIAL.apiVersion, command: plugin, interactiveMode: 'Never' },
    });
    const flags = [`--kubeconfig=${kubeconfig}`, '--dest-dir', directoryForTest()];
    const outcome = await runCli(through(node(), ...flags));
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(readFileSync(calls, 'utf8').length).toBeGreaterThan(1);
    expect(`${outcome.stdout}${outcome.stderr}`).not.toContain(token.trim());

    writeFileSync(plugin, '#!/bin/sh\necho no session >&2\nexit 3\n');
    const failed = await runCli(through(node(), ...flags));
    expect(expectFailure(failed, 'credential-plugin-failed').message).toBe(
      'the credentials plugin of the kubeconfig failed: it ended with 3',
    );
    expect(failed.stderr).toContain('no session\n');
  });

  it('while another one takes one: told who, and since when; the first is not disturbed', async () => {
    const slowly = ['--rate-limit=100kB', '--dest-dir', directoryForTest()];
    const before = new Date();
    const first = startCli(through(node(), ...slowly), LONG);
    await said(first, 'member      ');
    const kubeconfig = kubeconfigOf(
      await node().pki.kubeconfig(node().api.url, { name: 'bob', group: 'system:masters' }),
    );
    const second = await runCli(
      through(node(), `--kubeconfig=${kubeconfig}`, '--dest-dir', directoryForTest()),
    );
    const { message } = expectFailure(second, 'backup-running', 3);
    const words = /^a backup of this cluster is being taken by (\S+), process \d+, since (\S+Z)$/;
    const [, who, since] = words.exec(message) ?? [];
    expect(who).toMatch(/^[^@]+@[^@]+$/);
    expect(new Date(since!).getTime()).toBeGreaterThanOrEqual(before.getTime());
    const outcome = await first.outcome;
    expect(outcome.code, outcome.stderr).toBe(0);
  });

  describeWithTinyproxy('through a proxy with a password', () => {
    it('does all of it through that, or says that it cannot; a password is never shown', async () => {
      const of = async (status: object) =>
        node().api.apply(`${PROXY}/status`, {
          apiVersion: 'config.openshift.io/v1',
          kind: 'Proxy',
          metadata: { name: 'cluster' },
          status,
        });
      await of({ httpsProxy: 'http://ops:hunter2@proxy.example:3128', noProxy: '.svc,10.0.0.0/8' });
      await using proxy = await startTinyproxy('laptop', PASSWORD);
      const run = (env: Record<string, string>) =>
        runCli(through(node(), '--dest-dir', directoryForTest()), { env });
      const good = await run({ HTTPS_PROXY: proxy.url });
      expect(good.code, good.stderr).toBe(0);
      expect(good.stderr).toContain(
        'proxy       enabled: http://proxy.example:3128, 2 exceptions; nothing of a backup goes through it',
      );
      // Each request, and each command that is run in the pod.
      expect(proxy.asked(`${node().address}:6443`)).toBeGreaterThan(10);

      const wrong = await run({ https_proxy: proxy.url.replace(PASSWORD, 'battery-staple') });
      // Not 407, as RFC 9110 has it; it is that program's own.
      expect(expectFailure(wrong, 'api-unreachable').message).toMatch(
        /Failed to establish tunnel to \S+ via http:\/\/127\.0\.0\.1:\d+\/: HTTP\/1\.0 401 /,
      );
      await proxy.stop();
      expectFailure(await run({ HTTPS_PROXY: proxy.url }), 'api-unreachable');
      // It is not asked for what it is not for.
      const besides = { HTTPS_PROXY: proxy.url, NO_PROXY: `${node().address}/30` };
      const around = await run(besides);
      expect(around.code, around.stderr).toBe(0);
      await of({});

      const texts = [good, wrong, around].map(({ stdout, stderr }) => stdout + stderr).join('');
      for (const secret of [PASSWORD, 'battery-staple', 'hunter2']) {
        expect(texts).not.toContain(secret);
      }
    });
  });

  /** The kubeconfig of the admin, with another user. */
  function withUser(user: object): string {
    const config = JSON.parse(readFileSync(node().kubeconfig, 'utf8')) as {
      readonly users: readonly [{ readonly name: string }];
    };
    return kubeconfigOf(JSON.stringify({ ...config, users: [{ ...config.users[0], user }] }));
  }
});

/** A certificate has no fractions of a second. */
function seconds(moment: Date): string {
  return moment.toISOString().replace(/\.\d{3}/, '.000');
}
