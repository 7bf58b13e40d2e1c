// How a member is named: flags before and behind the command, the variables of etcdctl, and a shell
// that has read the host's etcd.env.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/base/error-codes.ts';
import { startFaultServer, startRawServer } from '../faults/fault-server.ts';
import { type CommandResult, runCommand } from '../servers/command.ts';
import { ROOT_USER } from '../servers/etcd.ts';
import { describeEachVersion, describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { cleanEnvironment } from '../servers/processes.ts';
import { expectFailure } from './failure.ts';
import { ETCDKEEP, runCli } from './run.ts';
import { directoryForTest, flagsFor, hostForSuite } from './scene.ts';

const VERSION = '3.6.16';

type Variables = Readonly<Record<string, string>>;

describeWithEtcd(VERSION, 'how the member is named', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const locked = etcdForSuite({ version: VERSION, auth: true });
  const host = hostForSuite(etcd);

  const file = (): string => join(directoryForTest(), 'new.db');
  const save = (flags: readonly string[], env: Variables = {}): Promise<CommandResult> =>
    runCli(['snapshot', 'save', ...flags, file()], { env });
  const backUp = (directory: string, env: Variables, flags: readonly string[] = []) =>
    runCli(['backup', `--root=${host().root}`, ...flags, directory], { env });
  const expectSaved = (outcome: CommandResult): void =>
    expect(outcome, outcome.stderr).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Snapshot saved at') as string,
    });

  /** The member with mutual TLS in variables alone. */
  const reach = (): Record<string, string> => {
    const { ca, client } = etcd().member.tls!;
    return {
      ETCDCTL_ENDPOINTS: etcd().endpoint,
      ETCDCTL_CACERT: ca,
      ETCDCTL_CERT: client.cert,
      ETCDCTL_KEY: client.key,
    };
  };
  const bare = (): string => new URL(etcd().endpoint).host;

  it('by flags before the command', async () => {
    const outcome = await runCli([
      ...flagsFor(etcd().member).flatMap((flag) => flag.split('=')),
      ...['--command-timeout', '20s', '--insecure-transport=false', 'snapshot', 'save', file()],
    ]);
    expectSaved(outcome);
  });

  describe('by variables', () => {
    it('endpoint, CA, certificate and key', async () => expectSaved(await save([], reach())));

    it('what etcdctl alone has a use for is passed over', async () => {
      const outcome = await save([], { ...reach(), ETCDCTL_API: '3', ETCDCTL_WRITE_OUT: 'json' });
      expectSaved(outcome);
      expect(outcome.stderr).not.toContain('warning');
    });

    it('one that is misspelt is told of', async () => {
      const outcome = await save([], { ...reach(), ETCDCTL_ENDPOINT: 'x' });
      expectSaved(outcome);
      expect(outcome.stderr).toMatch(/^warning {5}ETCDCTL_ENDPOINT is no variable of etcdctl's$/m);
    });

    const { name, password } = ROOT_USER;
    it.each<[string, Variables, ErrorCode | undefined]>([
      ['user and password', { ETCDCTL_USER: name, ETCDCTL_PASSWORD: password }, undefined],
      ['both in one', { ETCDCTL_USER: `${name}:${password}` }, undefined],
      ['a wrong password', { ETCDCTL_USER: name, ETCDCTL_PASSWORD: 'x' }, 'authentication-failed'],
      ['nobody', {}, 'authentication-required'],
    ])('login: %s', async (_, env, code) => {
      const outcome = await save([], { ETCDCTL_ENDPOINTS: locked().endpoint, ...env });
      if (code === undefined) expectSaved(outcome);
      else expectFailure(outcome, code);
    });

    it('that the certificate is not verified', async () => {
      // An empty variable is none.
      const env = { ...reach(), ETCDCTL_CACERT: '' };
      expectFailure(await save([], env), 'tls-authority-unknown');
      expectSaved(await save([], { ...env, ETCDCTL_INSECURE_SKIP_TLS_VERIFY: 'true' }));
    });

    it('that TLS is spoken to an endpoint without a scheme', async () => {
      const env = { ETCDCTL_ENDPOINTS: bare() };
      expectFailure(await save([], env), 'plain-on-tls-port');
      const outcome = await save([], { ...env, ETCDCTL_INSECURE_TRANSPORT: 'false' });
      expectFailure(outcome, 'tls-authority-unknown');
      // A certificate says so as well.
      expectSaved(await save([], { ...reach(), ...env }));
    });

    it('how long to wait for a connection', async () => {
      await using server = await startRawServer(() => undefined);
      const env = { ETCDCTL_ENDPOINTS: server.endpoint, ETCDCTL_DIAL_TIMEOUT: '250ms' };
      const { message } = expectFailure(await save([], env), 'connection-timed-out');
      expect(message).toContain('for 0.25 s');
    });

    it('how long to wait for an answer', async () => {
      await using server = await startFaultServer({});
      const env = { ETCDCTL_ENDPOINTS: server.endpoint, ETCDCTL_COMMAND_TIMEOUT: '300ms' };
      const begin = performance.now();
      expectFailure(await save([], env), 'request-timed-out');
      expect(performance.now() - begin).toBeLessThan(4000);
    });

    it('one that cannot be parsed is named', async () => {
      const outcome = await save([], { ...reach(), ETCDCTL_DIAL_TIMEOUT: '5' });
      const { message } = expectFailure(outcome, 'usage', 2);
      expect(message).toMatch(/^ETCDCTL_DIAL_TIMEOUT: "5" is not a duration/);
    });

    it('a flag wins', async () => {
      const wrong = {
        ETCDCTL_ENDPOINTS: 'http://127.0.0.1:1',
        ETCDCTL_CERT: '/x',
        ETCDCTL_KEY: '/x',
      };
      expectSaved(await save(flagsFor(etcd().member), { ...wrong, ETCDCTL_CACERT: '/x' }));
      const login = { ETCDCTL_USER: 'root:wrong' };
      expectSaved(await save([...flagsFor(locked().member), `--user=${name}:${password}`], login));
    });
  });

  describe('backup', () => {
    it('in a shell that has read etcd.env, which names every member and paths of the pod', async () => {
      const directory = directoryForTest();
      const script = `. '${host().etcdEnv}'; export ETCDCTL_API=3; exec "$0" "$@"`;
      await host().changeEtcdEnv({
        ETCDCTL_ENDPOINTS: `${etcd().endpoint},https://10.0.1.3:2379,https://10.0.1.4:2379`,
      });
      const line = [ETCDKEEP, 'backup', `--root=${host().root}`, directory];
      const outcome = await runCommand('sh', ['-c', script, ...line], { env: cleanEnvironment() });
      expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
      expect(outcome.stderr).not.toMatch(/^warning/m);
      expect(await readdir(directory)).toHaveLength(3);
    });

    it('takes the endpoint and the certificates of flags all the same', async () => {
      const outcome = await backUp(directoryForTest(), {}, flagsFor(etcd().member));
      expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
      const other = ['--endpoints=http://127.0.0.1:1'];
      expectFailure(await backUp(directoryForTest(), {}, other), 'connection-refused');
    });

    it('takes the other variables', async () => {
      const outcome = await backUp(directoryForTest(), { ETCDCTL_KEEPALIVE_TIME: 'soon' });
      expect(expectFailure(outcome, 'usage', 2).message).toContain('ETCDCTL_KEEPALIVE_TIME');
    });
  });

  describe('--output json', () => {
    it('is one document of a snapshot', async () => {
      const target = file();
      const line = ['snapshot', 'save', target, '--output=json', ...flagsFor(etcd().member)];
      const { code, stdout } = await runCli(line);
      expect(code).toBe(0);
      const { stdout: status } = await etcd().member.etcdutl([
        ...['snapshot', 'status', target, '-w', 'json'],
      ]);
      const { hash, totalKey, totalSize, version } = JSON.parse(status) as Record<string, unknown>;
      expect(JSON.parse(stdout)).toMatchObject({
        file: target,
        endpoint: etcd().endpoint,
        storageVersion: version,
        ...{ hash, totalKey, totalSize },
      });
    });

    it('is one document of a failure, beside the words on stderr', async () => {
      const flags = ['--output=json', '--endpoints=http://127.0.0.1:1'];
      for (const outcome of [await save(flags), await backUp(directoryForTest(), {}, flags)]) {
        const failure = expectFailure(outcome, 'connection-refused');
        expect(JSON.parse(outcome.stdout)).toEqual({
          error: {
            code: 'connection-refused',
            message: failure.message,
            advice: failure.rows.get('do'),
            retryable: true,
            endpoint: 'http://127.0.0.1:1',
            aftermath: 'Nothing was written.',
          },
        });
      }
    });
  });

  describe('whoever reads the output goes away', () => {
    it.each([
      ['stdout, after its first line', '2>/dev/null | head -1'],
      ['stderr, after its first line', '2>&1 >/dev/null | head -1'],
      ['both at once', '2>&1 | true'],
      ['stdout is on a full disk', '2>&1 >/dev/full'],
      ['stdout is closed', '2>/dev/null >&-'],
    ])('%s', async (_, redirection) => {
      const directory = directoryForTest();
      const line = `'${ETCDKEEP}' backup --root='${host().root}' '${directory}'`;
      const status = join(directoryForTest(), 'status');
      const script = `{ ${line}; echo $? > '${status}'; } ${redirection}`;
      await once(spawn('sh', ['-c', script], { stdio: 'ignore' }), 'exit');
      const { stdout } = await runCommand('cat', [status]);
      expect(stdout).toBe('0\n');
      expect((await readdir(directory)).map((name) => name.replace(/_2.*/, '')).sort()).toEqual([
        ...['backup', 'snapshot', 'static_kuberesources'],
      ]);
    });
  });
});

describeEachVersion('the answer', (version) => {
  const etcd = etcdForSuite({ version, tls: 'mutual' });
  const host = hostForSuite(etcd);

  it("has the line of this version's own tools, and its storage version from 3.6 on", async () => {
    await etcd().gateway.put('/a', 'one');
    await etcd().gateway.put('/b', 'two');
    await etcd().gateway.delete('/a');
    const directory = directoryForTest();
    const { stdout } = await runCli(['backup', `--root=${host().root}`, directory]);
    const lines = stdout.split('\n').slice(5);
    const [snapshot] = (await readdir(directory)).filter((name) => name.startsWith('snapshot_'));
    const path = join(directory, snapshot!);
    const status = await etcd().member.etcdutl(['snapshot', 'status', path, '-w', 'json']);
    expect(lines).toEqual([
      expect.stringMatching(new RegExp(`^etcd version: ${version.slice(0, 3)}\\.`)),
      `Snapshot saved at ${path}`,
      ...(version < '3.6' ? [] : [`Server version ${version.slice(0, 3)}.0`]),
      status.stdout.trim(),
      `snapshot db and kube resources are successfully saved to ${directory}`,
      '',
    ]);
  });
});
