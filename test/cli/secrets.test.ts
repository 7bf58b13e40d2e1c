// What nobody may see: the proxy's password, the encryption keys, the private keys and the tokens of the host
// are in no output, record, note, process list or error.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { READ_KEY, WRITE_KEY } from '../fixtures/encryption.ts';
import type { OpenshiftHost } from '../fixtures/openshift-host.ts';
import type { CommandResult } from '../servers/command.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { runCli, startCli } from './run.ts';
import { directoryForTest, fill, hostForTest, isReceiving, LARGE_BYTES } from './scene.ts';

const VERSION = '3.6.16';
const PASSWORD = 's3cret!p4ss';
const PROXY = `http://backup:${encodeURIComponent(PASSWORD)}@proxy.example.com:3128`;

/** Every line of every private key and token below a directory, and the keys by which values are encrypted. */
async function secretsOf(host: OpenshiftHost): Promise<readonly string[]> {
  const secrets = [PASSWORD, encodeURIComponent(PASSWORD)];
  for (const { secret } of [READ_KEY, WRITE_KEY]) {
    secrets.push(secret.toString('base64'), secret.toString('hex'), secret.toString('base64url'));
  }
  for (const name of await readdir(host.root, { recursive: true })) {
    if (!/\.key$|\/token$/.test(name)) continue;
    const lines = (await readFile(host.path(name), 'utf8')).split('\n');
    secrets.push(...lines.filter((line) => line.length > 30 && !line.startsWith('-----')));
  }
  return secrets;
}

/** The command lines of a process and of all that it started. */
async function commandLines(): Promise<string> {
  const lines: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes('etcdkeep')) lines.push(line);
  }
  return lines.join('\n');
}

describeWithEtcd(VERSION, 'a secret of the host', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  beforeAll(() => fill(etcd(), LARGE_BYTES));

  const proxiedHost = async (): Promise<OpenshiftHost> => {
    const host = await hostForTest(etcd());
    await mkdir(host.path('etc/mco'));
    await writeFile(host.path('etc/mco/proxy.env'), `HTTP_PROXY=${PROXY}\nHTTPS_PROXY=${PROXY}\n`);
    return host;
  };
  const env = { HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY, https_proxy: PROXY };
  const expectNone = async (host: OpenshiftHost, texts: readonly string[]): Promise<void> => {
    const secrets = await secretsOf(host);
    expect(secrets.length).toBeGreaterThan(100);
    const all = texts.join('\n');
    expect(all.length).toBeGreaterThan(100);
    expect(secrets.filter((secret) => all.includes(secret))).toEqual([]);
  };

  it('is in nothing that a backup says, writes beside the archive, or shows while it runs', async () => {
    const host = await proxiedHost();
    const directory = directoryForTest();
    const run = startCli(['backup', `--root=${host.root}`, '--rate-limit=8MB', directory], { env });
    await run.waitUntil(() => isReceiving(directory));
    const shown = await commandLines();
    expect(shown).toContain('--rate-limit=8MB');
    const notes = host.path('run/etcdkeep');
    const noted = await Promise.all(
      (await readdir(notes)).map((name) => readFile(join(notes, name), 'utf8')),
    );
    const { code, stdout, stderr } = await run.outcome;
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(
      /^proxy {7}http:\/\/proxy\.example\.com:3128, from \/etc\/mco\/proxy\.env; etcd is reached without it$/m,
    );
    const record = (await readdir(directory)).find((name) => name.startsWith('backup_'))!;
    const recorded = await readFile(join(directory, record), 'utf8');
    const names = (await readdir(directory)).join('\n');
    await expectNone(host, [stdout, stderr, shown, recorded, names, ...noted]);
  });

  it('is in no document', async () => {
    const host = await proxiedHost();
    const line = [`--root=${host.root}`, '--output=json', directoryForTest()];
    const outcomes = [
      await runCli(['check', ...line], { env }),
      await runCli(['backup', ...line], { env }),
    ];
    for (const { code, stderr } of outcomes) expect(code, stderr).toBe(0);
    await expectNone(
      host,
      outcomes.flatMap(({ stdout, stderr }) => [stdout, stderr]),
    );
  });

  describe('is in no error', () => {
    const key = (host: OpenshiftHost): string =>
      join(host.etcdCerts, `secrets/etcd-all-certs/etcd-peer-${host.nodeName}.key`);
    const change = async (path: string, edit: (text: string) => string): Promise<void> => {
      await writeFile(path, edit(await readFile(path, 'utf8')));
    };

    it.each<[string, (host: OpenshiftHost) => Promise<void>]>([
      [
        'of a proxy file that is none',
        (host) =>
          writeFile(host.path('etc/mco/proxy.env'), `HTTPS_PROXY=backup:${PASSWORD}@proxy\n`),
      ],
      [
        'of a proxy whose URL is broken',
        (host) =>
          writeFile(
            host.path('etc/mco/proxy.env'),
            `HTTPS_PROXY=http://backup:${PASSWORD}@[proxy\n`,
          ),
      ],
      [
        'of an encryption-config that is cut off',
        (host) => change(host.encryptionConfig, (text) => text.slice(0, -20)),
      ],
      [
        'of an encryption-config with another provider',
        (host) => change(host.encryptionConfig, (text) => text.replaceAll('aescbc', 'aesxyz')),
      ],
      [
        'of a kubeconfig that is cut off',
        (host) => change(host.kubeconfig, (text) => text.slice(0, -9)),
      ],
      ['of a key that is cut off', (host) => change(key(host), (text) => text.slice(0, 100))],
      ['of a key that is not there', (host) => rm(key(host))],
      [
        'of etcd.env',
        (host) => writeFile(host.etcdEnv, `export ETCDCTL_PASSWORD="${PASSWORD}" && true\n`),
      ],
    ])('%s', async (_, spoil) => {
      const host = await proxiedHost();
      const secretsBefore = await secretsOf(host);
      await spoil(host);
      const outcomes: CommandResult[] = [];
      for (const command of ['backup', 'check']) {
        for (const format of ['text', 'json']) {
          const line = [command, `--root=${host.root}`, `--output=${format}`, directoryForTest()];
          outcomes.push(await runCli(line, { env }));
        }
      }
      const said = outcomes.map(({ stdout, stderr }) => `${stdout}${stderr}`).join('\n');
      expect(said).toMatch(/"code": |unknown: |is not used: /);
      expect(secretsBefore.filter((secret) => said.includes(secret))).toEqual([]);
    });
  });
});
