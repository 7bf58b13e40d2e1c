import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { EtcdkeepError } from '../base/errors.ts';
import { temporaryDirectory } from './host.fixture.ts';
import { runToEnd, shellScript } from './node-shell.ts';
import { SshShell } from './ssh.ts';

/**
 * A stand-in for ssh: the words before the text that is to be run are kept, and sh runs the text, as a user's shell there
 * does. What lies below /var/lib is elsewhere on its host, whose user is root.
 */
const STAND_IN = `#!/bin/sh
for text; do :; done
printf '%s\\n' "$@" > "$HOST/words"
exec sh -c "$(printf %s "$text" | sed "s|/var/lib|$HOST/var/lib|g")"
`;
const ROOTS_ID = '#!/bin/sh\necho 0\n';

let place: string;
beforeEach(async () => {
  place = await temporaryDirectory();
  vi.stubEnv('HOST', place);
  vi.stubEnv('PATH', `${place}:${process.env['PATH']}`);
  program('ssh', STAND_IN);
  program('id', ROOTS_ID);
  return () => vi.unstubAllEnvs();
});

function program(name: string, script: string): void {
  writeFileSync(join(place, name), script, { mode: 0o700 });
}

const left: string[] = [];
const open = (signal = new AbortController().signal, patienceSeconds = 90): SshShell =>
  new SshShell({
    destination: 'core@10.0.1.2',
    leftBehind: (words) => left.push(words),
    signal,
    patienceSeconds,
  });

describe('a command', () => {
  it.each([
    ['blanks', ['a b', ' ', '']],
    ['quotes', ["it's", '"', "'", "''\\''"]],
    ['what a shell would read', ['$HOME', '`id`', '*', '; exit 3', '\\', 'a\nb', '~', '-n', '#']],
  ])('arrives as it is: %s', async (_, words) => {
    const { stdout, code } = await runToEnd(open(), ['printf', '%s\\0', ...words]);
    expect(code).toBe(0);
    expect(stdout.split('\0').slice(0, -1)).toEqual(words);
  });

  it('is given its stdin, and both of its outputs are kept apart', async () => {
    const running = await open().run(shellScript('cat; echo told >&2'), { hasStdin: true });
    running.stdin!.end('sent');
    const [stdout, stderr] = await Promise.all([text(running.stdout), text(running.stderr)]);
    expect({ stdout, stderr, code: await running.exit }).toEqual({
      stdout: 'sent',
      stderr: 'told\n',
      code: 0,
    });
  });

  it.each([0, 1, 3, 254])('ends with %i', async (code) =>
    expect(await runToEnd(open(), shellScript(`exit ${code}`))).toMatchObject({ code }),
  );

  it('is run by sudo, without a question, for who is not root', async () => {
    program('id', '#!/bin/sh\necho 1000\n');
    program('sudo', '#!/bin/sh\necho "sudo $1 $2"; shift 2; exec "$@"\n');
    const { stdout } = await runToEnd(open(), ['echo', "it's"]);
    expect(stdout).toBe("sudo -n --\nit's\n");
  });

  it('never lets ssh ask, nor take the destination for an option', async () => {
    await runToEnd(open(), ['true']);
    const words = readFileSync(join(place, 'words'), 'utf8');
    expect(words).toContain('-o\nBatchMode=yes\n');
    expect(words).toContain('\n--\ncore@10.0.1.2\n');
  });
});

describe('a host that is not reached', () => {
  it.each([
    [
      'ssh says why',
      "echo 'Warning: Permanently added' >&2; echo 'core@10.0.1.2: Permission denied (publickey).' >&2; exit 255",
      'cannot reach core@10.0.1.2: core@10.0.1.2: Permission denied (publickey)',
    ],
    ['ssh says nothing', 'exit 255', 'cannot reach core@10.0.1.2: the connection ended'],
    ['ssh is killed', 'kill -9 $$', 'cannot reach core@10.0.1.2: the connection ended'],
  ])('%s', async (_, script, message) => {
    program('ssh', `#!/bin/sh\n${script}\n`);
    await expect(runToEnd(open(), ['true'])).rejects.toMatchObject({ code: 'ssh-failed', message });
  });

  it.each([
    ['there is no ssh', () => vi.stubEnv('PATH', join(place, 'none'))],
    [
      'ssh cannot be run',
      () => {
        mkdirSync(join(place, 'other/ssh'), { recursive: true });
        vi.stubEnv('PATH', join(place, 'other'));
      },
    ],
  ])('%s', async (why, prepare) => {
    prepare();
    await expect(open().run(['true'], { hasStdin: false })).rejects.toMatchObject({
      code: 'ssh-failed',
      message: `cannot reach core@10.0.1.2: ${why}`,
    });
  });

  it('hurts nobody who has not waited for the end', async () => {
    program('ssh', '#!/bin/sh\nexit 255\n');
    const { stdout, stderr } = await open().run(['true'], { hasStdin: false });
    // An error that nobody hears of would end the process, and fail this run.
    expect(await Promise.all([text(stdout), text(stderr)])).toEqual(['', '']);
  });
});

describe('a shell that is to stop', () => {
  const stop = new EtcdkeepError('interrupted', 'stopped by SIGINT');

  it('ends what runs, with the reason', async () => {
    const controller = new AbortController();
    const running = await open(controller.signal).run(['sleep', '1000'], { hasStdin: false });
    controller.abort(stop);
    await expect(running.exit).rejects.toBe(stop);
  });

  it('starts nothing', async () => {
    await expect(open(AbortSignal.abort(stop)).run(['true'], { hasStdin: false })).rejects.toBe(
      stop,
    );
    expect(existsSync(join(place, 'words'))).toBe(false);
  });
});

describe('its directory on the host', () => {
  const isThere = (shell: SshShell, ...names: string[]): boolean =>
    existsSync(join(place, shell.directory, ...names));
  beforeEach(() => void left.splice(0));

  it('is gone afterwards, also when it was to stop', async () => {
    const controller = new AbortController();
    const shell = open(controller.signal);
    await shell.hold();
    await runToEnd(shell, shellScript('echo > "$1/file"', shell.directory));
    expect(isThere(shell, 'file')).toBe(true);
    controller.abort(new EtcdkeepError('interrupted', 'stopped by SIGINT'));
    await shell[Symbol.asyncDispose]();
    expect(isThere(shell)).toBe(false);
    expect(isThere(shell, '..')).toBe(true);
    expect(left).toEqual([]);
  });

  it('is gone by itself some time after its client', async () => {
    // What runs on a host does not end with ssh.
    program('ssh', STAND_IN.replace(/exec (.*)$/m, '$1 <&0 & wait'));
    const controller = new AbortController();
    const shell = open(controller.signal, 1);
    await shell.hold();
    // Nothing more is said: as of a client that was killed.
    controller.abort(new Error('killed'));
    expect(isThere(shell)).toBe(true);
    await vi.waitFor(() => expect(isThere(shell)).toBe(false), { timeout: 10_000 });
  });

  it('goes when what runs in it was told to end, and what a killed run has begun elsewhere is swept', async () => {
    const shell = open();
    await shell.hold();
    const here = join(place, shell.directory);
    // A stand-in, which runs until it is told to end.
    copyFileSync('/bin/sleep', join(here, 'etcdkeep'));
    const running = await shell.run(shellScript('exec "$1" 1000', `${shell.directory}/etcdkeep`), {
      hasStdin: false,
    });
    await vi.waitFor(() => expect(programsOf(join(here, 'etcdkeep'))).toHaveLength(1));
    const ended = expect(running.exit).rejects.toMatchObject({ code: 'ssh-failed' });
    await shell[Symbol.asyncDispose]();
    await ended;
    expect(isThere(shell)).toBe(false);

    const next = open();
    await next.hold();
    const there = join(place, next.directory);
    writeFileSync(join(there, 'etcdkeep'), `#!/bin/sh\necho "$@" > ${place}/swept\n`, {
      mode: 0o700,
    });
    writeFileSync(join(there, 'place'), '{}');
    await next[Symbol.asyncDispose]();
    expect(readFileSync(join(place, 'swept'), 'utf8')).toBe(
      `node-agent sweep ${join(there, 'place')}\n`,
    );
  });

  it('takes those along that nobody watches over, and no others', async () => {
    const [dead, mine, foreign] = ['dead', 'mine', 'foreign'].map((name) =>
      join(place, open().directory, '..', name),
    ) as [string, string, string];
    for (const one of [dead, mine, foreign]) mkdirSync(one, { recursive: true });
    writeFileSync(join(dead, 'pid'), '4194305\n');
    writeFileSync(join(mine, 'pid'), `${process.pid}\n`);
    const shell = open();
    await shell.hold();
    expect([dead, mine, foreign].map((one) => existsSync(one))).toEqual([false, true, true]);
    await shell[Symbol.asyncDispose]();
  });

  it('that cannot be made is named', async () => {
    writeFileSync(join(place, 'var'), 'no directory');
    const shell = open();
    await expect(shell.hold()).rejects.toMatchObject({
      code: 'node-command-failed',
      message: `cannot make ${shell.directory} on the node: it ended with 1`,
    });
  });

  it('is told of where the host is gone', async () => {
    const shell = open();
    await shell.hold();
    program('ssh', '#!/bin/sh\nexit 255\n');
    await shell[Symbol.asyncDispose]();
    expect(left).toEqual([
      `${shell.directory} on the host was not seen to go: it ends by itself within 90 s where the host is up`,
    ]);
  });
});

/** Ids of the processes that run a program. */
function programsOf(path: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/exe`) === path;
    } catch {
      return false;
    }
  });
}
