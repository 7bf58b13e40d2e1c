// What every command waits for: nothing but the command line itself. The libraries of one command are loaded by it alone.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

const LIST_MODULES = `data:text/javascript,
  import { registerHooks } from 'node:module';
  registerHooks({ load: (url, context, next) => (console.error(url), next(url, context)) });`;

/** What is loaded: names of packages, and of the commands. */
async function loadedBy(...args: string[]): Promise<{ packages: string[]; commands: string[] }> {
  const { stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', LIST_MODULES, 'src/cli/main.ts', ...args],
    { cwd: root },
  );
  const found = (pattern: RegExp): string[] => [
    ...new Set([...stderr.matchAll(pattern)].map(([, name]) => name!)),
  ];
  return {
    packages: found(/node_modules\/((?:@[^/]+\/)?[^/]+)\//g),
    commands: found(/src\/cli\/commands\/([^/]+)\.ts$/gm),
  };
}

describe('starting', () => {
  it('--version', async () =>
    expect(await loadedBy('--version')).toEqual({ packages: [], commands: [] }));

  it.each([
    ['backup', '--help'],
    ['restore', '--help'],
    ['snapshot', 'status', '--help'],
    ['quorum-restore', '--help'],
  ])('%s %s', async (...args) => {
    const commands = [args.filter((word) => word !== '--help').join('-')];
    expect(await loadedBy(...args)).toEqual({ packages: ['@stricli/core'], commands });
  });

  it('--help', async () => {
    const { packages, commands } = await loadedBy('--help');
    expect(packages).toEqual(['@stricli/core']);
    expect(commands.length).toBeGreaterThan(10);
  });
});
