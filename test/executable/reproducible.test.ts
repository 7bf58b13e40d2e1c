// Two builds are the same: another directory, another time, another user's settings.
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ownArchitecture } from '../../scripts/build/architectures.ts';
import { directoryForTest } from '../cli/scene.ts';
import { runCommand } from '../servers/command.ts';
import { DIST, HOME } from './built.ts';

const BUILD_TIMEOUT_MS = 240_000;

function digestsIn(directory: string): Record<string, string> {
  const names = readdirSync(directory).filter((name) => name.includes(`-${ownArchitecture()}`));
  const digest = (name: string): string =>
    createHash('sha256')
      .update(readFileSync(join(directory, name)))
      .digest('hex');
  return Object.fromEntries(names.sort().map((name) => [name, digest(name)]));
}

it('is the same, built elsewhere', { timeout: BUILD_TIMEOUT_MS }, async () => {
  const elsewhere = join(directoryForTest(), 'another place');
  for (const name of [
    'LICENSE',
    'bin',
    'package.json',
    'package-lock.json',
    'scripts',
    'src',
    'test',
  ]) {
    cpSync(join(HOME, name), join(elsewhere, name), { recursive: true });
  }
  symlinkSync(join(HOME, 'node_modules'), join(elsewhere, 'node_modules'));
  const line = `umask 077; exec '${process.execPath}' scripts/build/main.ts --arch ${ownArchitecture()} --out built`;
  const { code, stderr } = await runCommand('sh', ['-c', line], {
    cwd: elsewhere,
    env: { TZ: 'Asia/Tokyo', LANG: 'C', HOME: elsewhere, SOURCE_DATE_EPOCH: undefined },
  });
  expect(code, stderr).toBe(0);
  expect(digestsIn(join(elsewhere, 'built'))).toEqual(digestsIn(DIST));
});
