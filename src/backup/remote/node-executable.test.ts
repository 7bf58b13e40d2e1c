import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../controlplane/host.fixture.ts';
import { LocalShell } from '../../controlplane/local-shell.fixture.ts';
import { sendExecutable } from './node-executable.ts';

let place: string;
beforeEach(async () => {
  place = await temporaryDirectory();
});

/** A PATH with these programs of this machine alone. */
function pathOf(programs: readonly string[]): NodeJS.ProcessEnv {
  for (const name of programs) {
    const found = process.env['PATH']!.split(':').map((directory) => join(directory, name));
    const real = found.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
    if (real === undefined) throw new Error(`this machine has no ${name}`);
    symlinkSync(real, join(place, name));
  }
  return { PATH: place };
}

const BASE = ['mkdir', 'head', 'chmod', 'sha256sum', 'uname'];

function executable(content: Buffer): string {
  const path = join(place, 'executable');
  writeFileSync(path, content);
  return path;
}

describe('the executable', () => {
  it.each(['zstd', 'gzip'])('arrives whole and executable where there is %s', async (packer) => {
    const content = Buffer.concat([randomBytes(3 << 20), Buffer.alloc(3 << 20)]);
    const directory = join(place, "a host's/directory");
    const shell = new LocalShell({ env: pathOf([...BASE, packer]) });
    const { path, sentBytes } = await sendExecutable(shell, executable(content), directory);
    expect(path).toBe(join(directory, 'etcdkeep'));
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(sentBytes).toBeGreaterThan(3 << 20);
    expect(sentBytes).toBeLessThan(4 << 20);
  });

  it('can be run where it has arrived', async () => {
    const script = executable(Buffer.from('#!/bin/sh\necho "it runs"\n'));
    const { path } = await sendExecutable(new LocalShell(), script, join(place, 'there'));
    const running = await new LocalShell().run([path], { hasStdin: false });
    expect((await running.stdout.toArray()).join('')).toBe('it runs\n');
  });

  it('that is not there', async () => {
    const path = join(place, 'none');
    await expect(
      sendExecutable(new LocalShell(), path, join(place, 'there')),
    ).rejects.toMatchObject({ code: 'file-failed', position: { path } });
  });
});

describe('a node that cannot take it', () => {
  const send = (shell: LocalShell, directory = join(place, 'there')): Promise<unknown> =>
    sendExecutable(shell, executable(randomBytes(1 << 20)), directory).catch(
      (reason: unknown) => reason,
    );

  it('has nothing to unpack it with', async () =>
    expect(await send(new LocalShell({ env: pathOf(BASE) }))).toMatchObject({
      code: 'node-command-failed',
      message: 'cannot put etcdkeep there on the node: it has neither zstd nor gzip',
    }));

  it('has no place for the directory: with the last that was said', async () => {
    const file = join(place, 'file');
    writeFileSync(file, '');
    expect(await send(new LocalShell(), join(file, 'there'))).toMatchObject({
      code: 'node-command-failed',
      message: expect.stringMatching(/cannot put etcdkeep there on the node: .*file/) as string,
    });
  });

  it('lacks a library (a mock of its loader)', async () => {
    class Lacking extends LocalShell {
      override run(command: readonly string[], options: { readonly hasStdin: boolean }) {
        const isLoader = command[0]!.includes('/ld-linux-');
        return super.run(isLoader ? ['echo', 'libstdc++.so.6 => not found'] : command, options);
      }
    }
    expect(await send(new Lacking())).toMatchObject({
      code: 'executable-unsuited',
      message: "etcdkeep's executable cannot run on the host, which lacks libstdc++.so.6",
    });
  });

  it('writes something else (a stand-in of zstd)', async () => {
    const env = pathOf([...BASE, 'cat']);
    writeFileSync(join(place, 'zstd'), '#!/bin/sh\ncat >/dev/null; echo text\n', { mode: 0o700 });
    expect(await send(new LocalShell({ env }))).toMatchObject({
      code: 'node-command-failed',
      message: expect.stringContaining('it arrived damaged') as string,
    });
  });
});
