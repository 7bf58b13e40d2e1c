// No member there, none that lets us in, or one that never answers: both commands say which.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/base/error-codes.ts';
import { startRawServer } from '../faults/fault-server.ts';
import { freeLoopbackAddress } from '../servers/addresses.ts';
import type { CommandResult } from '../servers/command.ts';
import { PLAIN_USER, ROOT_USER } from '../servers/etcd.ts';
import { describeEachVersion, describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { CertificateAuthority, EXPIRED, type KeyPairFiles, NOT_YET_VALID } from '../servers/pki.ts';
import { COMMANDS, type Command } from './commands.ts';
import { expectFailure, type Failure } from './failure.ts';
import { runCli } from './run.ts';
import { flagsFor, hostForSuite, usedDirectory } from './scene.ts';
import { untouched } from './untouched.ts';

const VERSION = '3.6.16';

describeWithEtcd(VERSION, 'a member that cannot be reached', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const locked = etcdForSuite({ version: VERSION, auth: true });
  const host = hostForSuite(etcd);

  let stranger: CertificateAuthority;
  const pairs: Record<string, KeyPairFiles> = {};
  let garbage: string;
  beforeAll(async () => {
    const own = etcd().authority!;
    const client = { commonName: 'client', usages: ['client'] } as const;
    stranger = await CertificateAuthority.create(join(own.directory, 'stranger'), 'stranger');
    pairs['strange'] = await stranger.issue('client', client);
    pairs['expired'] = await own.issue('expired', { ...client, ...EXPIRED });
    pairs['early'] = await own.issue('early', { ...client, ...NOT_YET_VALID });
    garbage = join(own.directory, 'garbage.pem');
    await writeFile(garbage, 'not a certificate\n');
  });

  const pairFlags = ({ cert, key }: KeyPairFiles): string[] => [`--cert=${cert}`, `--key=${key}`];
  /** Later flags win over those that reach the member. */
  const run = async ({ line }: Command, flags: readonly string[]): Promise<CommandResult> => {
    const directory = await usedDirectory();
    return untouched(directory, () => runCli(line(directory, host(), flags)));
  };

  /** What every failure says at its end. */
  const expectNothingWritten = ({ aftermath }: Failure, { command }: Command): void => {
    const untold = command === 'backup' ? '; the earlier backup in /\\S+ is untouched' : '';
    expect(aftermath).toMatch(new RegExp(`^Nothing was written${untold}\\.$`));
  };

  type Case = readonly [
    situation: string,
    flags: () => readonly string[] | Promise<readonly string[]>,
    code: ErrorCode,
    exitCode?: number,
  ];
  const own = (): KeyPairFiles => etcd().member.tls!.client;
  const reach = (...more: string[]): string[] => [
    `--endpoints=${etcd().endpoint}`,
    `--cacert=${etcd().member.tls!.ca}`,
    ...more,
  ];
  const as = ({ name, password }: typeof ROOT_USER): string[] => [
    `--endpoints=${locked().endpoint}`,
    `--user=${name}:${password}`,
  ];

  const CASES: readonly Case[] = [
    [
      'nothing listens there',
      async () => [`--endpoints=https://${await freeLoopbackAddress()}:2379`, ...pairFlags(own())],
      'connection-refused',
    ],
    ['no such host', () => ['--endpoints=http://etcd.invalid:2379'], 'endpoint-not-found'],
    [
      'more than one endpoint',
      () => ['--endpoints=http://a:1,http://b:2'],
      'endpoint-not-single',
      2,
    ],
    ['no endpoint', () => ['--endpoints=ftp://a'], 'endpoint-invalid', 2],
    [
      'a client certificate of another authority',
      () => reach(...pairFlags(pairs['strange']!)),
      'tls-client-certificate-refused',
    ],
    [
      'a client certificate that has expired',
      () => reach(...pairFlags(pairs['expired']!)),
      'certificate-expired',
      3,
    ],
    [
      'a client certificate that is not valid yet',
      () => reach(...pairFlags(pairs['early']!)),
      'certificate-expired',
      3,
    ],
    [
      'a certificate that is not there',
      () => reach('--cert=/nowhere.crt', `--key=${own().key}`),
      'certificate-missing',
    ],
    ['a certificate without its key', () => reach(`--cert=${own().cert}`), 'certificate-missing'],
    [
      'a certificate that is none',
      () => reach(`--cert=${garbage}`, `--key=${own().key}`),
      'certificate-invalid',
    ],
    [
      'the key of another certificate',
      () => reach(`--cert=${own().cert}`, `--key=${pairs['strange']!.key}`),
      'certificate-invalid',
    ],
    [
      "a CA that did not issue the member's certificate",
      () => [`--endpoints=${etcd().endpoint}`, `--cacert=${stranger.cert}`, ...pairFlags(own())],
      'tls-authority-unknown',
    ],
    [
      'plain text to a TLS port',
      () => [`--endpoints=${etcd().endpoint.replace('https', 'http')}`],
      'plain-on-tls-port',
    ],
    [
      'TLS to a plain port',
      () => [`--endpoints=${locked().endpoint.replace('http', 'https')}`, ...pairFlags(own())],
      'tls-on-plain-port',
    ],
    ['a wrong password', () => as({ ...ROOT_USER, password: 'wrong' }), 'authentication-failed'],
    ['a user without the root role', () => as(PLAIN_USER), 'permission-denied'],
    ['no user', () => [`--endpoints=${locked().endpoint}`], 'authentication-required'],
    [
      'a user without a password, and no terminal to ask on',
      () => [`--endpoints=${locked().endpoint}`, '--user=root'],
      'usage',
      2,
    ],
  ];

  describe.each(COMMANDS)('$command', (command) => {
    it.for(CASES)('%s', async ([, flags, code, exitCode]) => {
      const outcome = await run(command, await flags());
      expectNothingWritten(expectFailure(outcome, code, exitCode), command);
    });

    it('accepts the connection and never answers', async () => {
      await using server = await startRawServer(() => undefined);
      const flags = [`--endpoints=${server.endpoint}`, '--dial-timeout=300ms'];
      const failure = expectFailure(await run(command, flags), 'connection-timed-out');
      expect(failure.message).toContain('for 0.3 s');
    });

    it('is stopped (SIGSTOP), so that its kernel accepts and it never answers', async () => {
      const { member } = etcd();
      member.signal('SIGSTOP');
      try {
        const flags = [...flagsFor(member), '--dial-timeout=300ms'];
        expectFailure(await run(command, flags), 'connection-timed-out');
      } finally {
        member.signal('SIGCONT');
      }
    });
  });

  it('wants a client certificate, and none is named', async () => {
    const [, save] = COMMANDS;
    expectFailure(await run(save!, reach()), 'tls-client-certificate-refused');
  });

  it('the member is down: the host knows where it would be', async () => {
    const { member } = etcd();
    await member.kill();
    try {
      const outcome = await run(COMMANDS[0]!, []);
      expect(expectFailure(outcome, 'connection-refused').rows.get('endpoint')).toBe(
        member.endpoint,
      );
      // Nothing is said to be found before it is known that the backup begins.
      expect(outcome.stdout).toBe('');
    } finally {
      await member.restart();
    }
  });
});

describeEachVersion('who may take a snapshot', (version) => {
  const locked = etcdForSuite({ version, auth: true });

  it.for([
    ['root', ROOT_USER, undefined],
    ['root with a wrong password', { ...ROOT_USER, password: 'wrong' }, 'authentication-failed'],
    ['a user without the root role', PLAIN_USER, 'permission-denied'],
    ['nobody', undefined, 'authentication-required'],
  ] as const)('%s', async ([, user, code]) => {
    const directory = await usedDirectory();
    const login = user === undefined ? [] : [`--user=${user.name}`, `--password=${user.password}`];
    const line = ['snapshot', 'save', join(directory, 'new.db'), ...flagsFor(locked().member)];
    if (code === undefined) expect(await runCli([...line, ...login])).toMatchObject({ code: 0 });
    else expectFailure(await untouched(directory, () => runCli([...line, ...login])), code);
  });
});

describeEachVersion('a learner', (version) => {
  const etcd = etcdForSuite({ version, learner: true });

  it(version.startsWith('3.4.') ? 'refuses' : 'serves, with a warning', async () => {
    const directory = await usedDirectory();
    const file = join(directory, 'new.db');
    const run = () => runCli(['snapshot', 'save', file, ...flagsFor(etcd().learner!)]);
    if (version.startsWith('3.4.')) {
      const failure = expectFailure(await untouched(directory, run), 'member-is-learner');
      expect(failure.message).toContain('take a snapshot');
      return;
    }
    const { code, stdout, stderr } = await run();
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining('Snapshot saved') as string,
    });
    expect(stderr).toMatch(/^warning {5}the member is a learner/m);
    expect(await etcd().member.etcdutl(['snapshot', 'status', file])).toMatchObject({ code: 0 });
  });
});
