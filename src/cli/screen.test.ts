import { afterEach, describe, expect, it, vi } from 'vitest';
import { EtcdkeepError } from '../base/errors.ts';
import { type FakeOptions, fakeWorld } from './context.fixture.ts';
import { type Screen, withScreen } from './screen.ts';

const TEXT = { output: 'text', quiet: false } as const;
const JSON_FLAGS = { output: 'json', quiet: false } as const;
const QUIET = { output: 'text', quiet: true } as const;

/** Runs something with a screen and returns what was printed. */
async function printed(
  flags: typeof TEXT | typeof JSON_FLAGS | typeof QUIET,
  draw: (screen: Screen) => void | Promise<void>,
  options: FakeOptions = {},
): Promise<{ stdout: string; stderr: string; failure: unknown }> {
  const { context, stdout, stderr } = fakeWorld(options);
  let failure: unknown;
  await withScreen(context, flags, async (screen) => draw(screen)).catch((reason: unknown) => {
    failure = reason;
  });
  return { stdout: stdout.text, stderr: stderr.text, failure };
}

const everything = (screen: Screen): void => {
  screen.tell('host', 'here');
  screen.answer('the answer');
  screen.tellMore('and more');
  screen.warn('careful');
  screen.blank();
  screen.document({ a: 1 });
};

it('in text, the answer is on stdout, and the rest on stderr in two columns', async () =>
  expect(await printed(TEXT, everything)).toMatchObject({
    stdout: 'the answer\n',
    stderr: 'host        here\n            and more\nwarning     careful\n\n',
  }));

it('in JSON, stdout has one document and nothing else', async () => {
  const { stdout, stderr } = await printed(JSON_FLAGS, everything);
  expect(JSON.parse(stdout)).toEqual({ a: 1 });
  expect(stdout.endsWith('}\n')).toBe(true);
  expect(stderr).toContain('host        here');
});

it('told to be quiet, it gives the answer only', async () =>
  expect(await printed(QUIET, everything)).toMatchObject({ stdout: 'the answer\n', stderr: '' }));

describe('a failure', () => {
  const fail = (): never => {
    throw new EtcdkeepError('disk-full', 'no space');
  };

  it('goes on to where exit codes are made', async () => {
    const { stdout, failure } = await printed(TEXT, fail);
    expect({ stdout, failure }).toEqual({
      stdout: '',
      failure: expect.objectContaining({ code: 'disk-full' }) as unknown,
    });
  });

  it('is a document with --output json', async () => {
    const { stdout, failure } = await printed(JSON_FLAGS, fail);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'disk-full', retryable: true } });
    expect(failure).toBeInstanceOf(EtcdkeepError);
  });
});

describe('colour', () => {
  const warn = (screen: Screen): void => screen.warn('careful');

  it.each<[string, FakeOptions, boolean]>([
    ['a terminal has it', { isTTY: true }, true],
    ['a pipe has none', {}, false],
    ['NO_COLOR takes it away', { isTTY: true, env: { NO_COLOR: '1' } }, false],
    ['an empty NO_COLOR does not (no-color.org)', { isTTY: true, env: { NO_COLOR: '' } }, true],
    ['a dumb terminal has none', { isTTY: true, env: { TERM: 'dumb' } }, false],
  ])('%s', async (_, options, coloured) =>
    expect((await printed(TEXT, warn, options)).stderr).toBe(
      coloured ? '\x1b[33mwarning\x1b[39m     careful\n' : 'warning     careful\n',
    ),
  );
});

it('variables that are none of etcdctl are warned of, unless it is to be quiet', async () => {
  const options = { env: { ETCDCTL_ENDPOINT: 'x' } };
  const nothing = (): void => undefined;
  expect((await printed(TEXT, nothing, options)).stderr).toBe(
    "warning     ETCDCTL_ENDPOINT is no variable of etcdctl's\n",
  );
  expect((await printed(QUIET, nothing, options)).stderr).toBe('');
});

it.each<[string, FakeOptions, boolean]>([
  ['on a terminal', { isTTY: true }, true],
  ['in a pipe', {}, false],
  ['where no colours are wanted', { isTTY: true, env: { NO_COLOR: '1' } }, false],
])('a verdict %s', async (_, options, isColoured) => {
  const { stdout } = await printed(
    TEXT,
    (screen) => screen.answer(screen.verdict('BAD', 'red')),
    options,
  );
  expect(stdout).toBe(isColoured ? '\x1b[31mBAD\x1b[39m\n' : 'BAD\n');
});

describe('the moving line', () => {
  afterEach(() => void vi.useRealTimers());
  const draw = (screen: Screen): void => {
    screen.progress.start('snapshot');
    vi.advanceTimersByTime(200);
    screen.answer('one');
    vi.advanceTimersByTime(200);
    screen.tell('two', 'told');
    vi.advanceTimersByTime(200);
  };

  it('is away while a line is printed, and at the end', async () => {
    vi.useFakeTimers();
    const { stderr } = await printed(TEXT, draw, { isTTY: true });
    const [first, second, third, last] = stderr.split('\r\x1b[K');
    expect([first, last]).toEqual(['\rsnapshot    0:01\x1b[K', '']);
    expect(second).toBe('\rsnapshot    0:01\x1b[K');
    expect(third).toBe('two         told\n\rsnapshot    0:01\x1b[K');
  });

  it.each<[string, FakeOptions, typeof TEXT | typeof QUIET]>([
    ['no terminal', {}, TEXT],
    ['a dumb terminal', { isTTY: true, env: { TERM: 'dumb' } }, TEXT],
    ['told to be quiet', { isTTY: true }, QUIET],
  ])('%s: there is none', async (_, options, flags) => {
    vi.useFakeTimers();
    expect((await printed(flags, draw, options)).stderr).not.toContain('snapshot');
  });
});
