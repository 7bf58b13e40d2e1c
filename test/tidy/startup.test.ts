// What every command waits for: nothing but the command line itself. The libraries of one command are loaded by it alone.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

const LIST_MODULES = `data:text/javascript,
  import { registerHooks } from 'node:module';
  registerHooks({ load: (url, context, next) => (console.error(url), next(url, context)) });`;

async function packagesOf(...args: string[]): Promise<string[]> {
  const { stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', LIST_MODULES, 'src/cli/main.ts', ...args],
    { cwd: root },
  );
  const names = stderr.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)\//g);
  return [...new Set([...names].map(([, name]) => name!))];
}

describe('starting', () => {
  it.each([['--version'], ['--help'], ['backup', '--help'], ['restore', '--help']])(
    '%s',
    async (...args) => {
      expect(await packagesOf(...args)).toEqual(['@stricli/core']);
    },
  );
});
