// The commands in this process: what the command line may say, and what is decided before anything
// is dialled. What they do to real members is in test/cli.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '@stricli/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EtcdkeepError } from '../base/errors.ts';
import { appFor } from './app.ts';
import { type FakeOptions, fakeWorld } from './context.fixture.ts';
import { exitCodeOf } from './exit-code.ts';
import { VERSION } from './version.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'etcdkeep-test-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function runApp(line: string, options?: FakeOptions) {
  const { context, stdout, stderr } = fakeWorld(options);
  const words = line.split(' ').filter((word) => word !== '');
  const args = words.map((word) => word.replace('DIR', directory));
  await run(await appFor(args), args, context);
  const { exitCode } = context.process;
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}

describe('help', () => {
  it.each([
    ['', /^USAGE\n {2}etcdkeep backup\n/],
    ['--help', /^USAGE\n {2}etcdkeep backup\n/],
    [
      'backup --help',
      /^USAGE\n {2}etcdkeep backup <DIR>\n {2}etcdkeep backup --node <name> --dest-dir <dir>\n/,
    ],
    ['-h', /^USAGE/],
    ['snapshot', /^USAGE\n {2}etcdkeep snapshot save <FILE>\n/],
    ['backup --help', /Exit status: 0 done, 1 failed, 2 usage, 3 refused, 130 or 143 interrupted/],
    ['snapshot save --help', /--endpoints.*gRPC endpoint of one member/],
  ])('%s', async (line, text) => {
    const { exitCode, stdout, stderr } = await runApp(line);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(text);
  });

  it('names every flag that there is', async () => {
    const { stdout } = await runApp('snapshot save --help');
    for (const flag of [
      ...['endpoints', 'cacert', 'cert', 'key', 'user', 'password', 'dial-timeout'],
      ...['insecure-transport', 'insecure-skip-tls-verify', 'command-timeout', 'keepalive-time'],
      ...['keepalive-timeout', 'idle-timeout', 'rate-limit', 'output', 'quiet', 'overwrite'],
    ]) {
      expect(stdout).toMatch(new RegExp(`--${flag}\\b`));
    }
    expect((await runApp('backup --help')).stdout).toContain('--root');
  });

  it.each(['--version', '-v'])('%s', async (flag) =>
    expect(await runApp(flag)).toEqual({ exitCode: 0, stdout: `${VERSION}\n`, stderr: '' }),
  );
});

describe('a command line that is none', () => {
  it.each([
    ['nonsense', 'no command registered for `nonsense`'],
    ['bakcup DIR', 'no command registered for `bakcup`, did you mean `backup`?'],
    ['snapshot save', 'expected argument for FILE'],
    ['snapshot save a b', 'too many arguments, expected 1 but encountered "b"'],
    ['backup --nope DIR', 'no flag registered for --nope'],
    ['backup DIR --overwrite', 'no flag registered for --overwrite'],
    ['backup DIR --idle-timeout 5', 'failed to parse "5" for idle-timeout: "5" is not a duration'],
    ['backup DIR --rate-limit 0', 'failed to parse "0" for rate-limit: "0" is not a size'],
    ['backup DIR --output yaml', 'expected "yaml" to be one of (text|json)'],
    ['backup DIR --endpoints', 'expected input for flag --endpoints'],
    ['backup DIR --endpoints a --endpoints b', 'too many arguments for --endpoints'],
    ['backup DIR --insecure-transport=maybe', 'failed to parse "maybe" for insecure-transport'],
  ])('%s', async (line, message) => {
    const { exitCode, stdout, stderr } = await runApp(line);
    // stricli's own codes are negative; main.ts makes a 2 of them.
    expect(exitCode).toBeLessThan(0);
    expect(stdout).toBe('');
    expect(stderr).toContain(`Error: ${message}`);
    expect(stderr).toMatch(
      / \(usage\)\n {2}do {10}see --help\n {2}more {8}docs\/errors\.md#usage\n$/,
    );
  });
});

describe('before anything is dialled', () => {
  it('who is not root cannot take a backup', async () => {
    const { exitCode, stdout, stderr } = await runApp('backup DIR/new', { uid: 1000 });
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(
      /^Error: a control-plane host is backed up as root \(not-root\)\n {2}do {10}run it again with sudo$/m,
    );
    expect(await readdir(directory)).toEqual([]);
  });

  it('who is not root can save a snapshot', async () => {
    const line = 'snapshot save DIR/a --endpoints http://127.0.0.1:1';
    expect((await runApp(line, { uid: 1000 })).stderr).toContain('(connection-refused)');
  });

  it('the same as a document', async () => {
    const { stdout } = await runApp('backup DIR/new --output json', { uid: 1000 });
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'not-root', retryable: false } });
  });

  it('a password is asked for where there is a terminal, and never printed', async () => {
    const asked: string[] = [];
    const askSecret = (prompt: string): Promise<string> => {
      asked.push(prompt);
      return Promise.resolve('secret-word');
    };
    const line = 'snapshot save DIR/a --endpoints http://127.0.0.1:1 --user root';
    const { stdout, stderr } = await runApp(line, { askSecret });
    expect(asked).toEqual(['Password of root: ']);
    expect(`${stdout}${stderr}`).not.toContain('secret-word');
  });
});

it.each([
  [new EtcdkeepError('usage', 'x'), 2],
  [new EtcdkeepError('target-exists', 'x'), 3],
  [new EtcdkeepError('interrupted', 'x'), 130],
  [new EtcdkeepError('terminated', 'x'), 143],
  [new EtcdkeepError('stream-cut', 'x'), 1],
  [new TypeError('x'), 1],
  ['x', 1],
])('%o ends with %i', (error, code) => expect(exitCodeOf(error)).toBe(code));
