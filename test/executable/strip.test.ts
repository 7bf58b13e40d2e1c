// The runtime without what only debuggers read: it still runs, and nothing else can be told of it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stripProgram } from '../../scripts/build/elf.ts';
import { directoryForTest } from '../cli/scene.ts';
import { runCommand } from '../servers/command.ts';
import { findOnPath } from '../servers/processes.ts';

it('leaves a program that runs, and is smaller by its symbols', async () => {
  const whole = readFileSync(process.execPath);
  const stripped = stripProgram(whole);
  expect(stripped.length).toBeLessThan(whole.length * 0.9);
  const path = join(directoryForTest(), 'node');
  writeFileSync(path, stripped, { mode: 0o755 });
  const { stdout } = await runCommand(path, [
    '-p',
    'process.version + new Intl.NumberFormat("ja").format(1e6)',
  ]);
  expect(stdout).toBe(`${process.version}1,000,000\n`);
});

it('does nothing to a program that has been stripped', () => {
  const once = stripProgram(readFileSync(process.execPath));
  expect(stripProgram(once).equals(once)).toBe(true);
});

it('refuses what is no program', () => {
  expect(() => stripProgram(readFileSync('package.json'))).toThrow('no 64-bit ELF file');
});

it.skipIf(findOnPath('readelf') === undefined)('is sound to binutils', async () => {
  const path = join(directoryForTest(), 'node');
  writeFileSync(path, stripProgram(readFileSync(process.execPath)));
  const { stdout, stderr } = await runCommand('readelf', ['--sections', '--wide', path]);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/\.dynsym/);
  expect(stdout).not.toMatch(/\.symtab|\.debug/);
});
