// Rules of the tree that no linter knows.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/base/error-codes.ts';

const HOME = fileURLToPath(new URL('../..', import.meta.url));
const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: HOME,
  encoding: 'utf8',
});
const files = listed
  .trim()
  .split('\n')
  // folder-order.test.ts makes probes and takes them away, at the same time perhaps.
  .filter((file) => existsSync(`${HOME}${file}`) && !file.endsWith('/lint-probe.ts'));
const read = (file: string): string => readFileSync(`${HOME}${file}`, 'utf8');

const written = files.filter((file) => /\.ts$/.test(file) && !/\/gen\/|\.wasm\.ts$/.test(file));
const modules = written.filter((file) => file.startsWith('src/') && !/\.(test|d)\.ts$/.test(file));
const tests = written.filter((file) => file.endsWith('.test.ts'));

describe('every file', () => {
  it.each(modules)('%s says at its top what it is for', (file) =>
    expect(read(file)).toMatch(/^\/\/ \S/),
  );

  it('leaves nothing to do, and switches no test off', () => {
    const marks = /\b(TODO|FIXME|XXX)\b|\b(it|test|describe)\.(only|todo)\(/;
    const self = 'test/tidy/tidy.test.ts';
    expect(written.filter((file) => file !== self && marks.test(read(file)))).toEqual([]);
  });

  it('is short: half of the modules have at most 120 lines', () => {
    const lengths = modules.map((file) => read(file).split('\n').length).sort((a, b) => a - b);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(120);
  });

  it('is small: no blob is in the tree', () => {
    const sizes = files.map((file) => [file, readFileSync(`${HOME}${file}`).length] as const);
    expect(sizes.filter(([, size]) => size > 512 * 1024)).toEqual([]);
  });
});

describe('the lock file', () => {
  it('names no registry', () => expect(read('package-lock.json')).not.toContain('"resolved"'));

  it('has exact versions of everything that package.json names', () => {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
      read('package.json'),
    ) as Record<string, Record<string, string>>;
    const versions = Object.values({
      ...dependencies,
      ...devDependencies,
      ...optionalDependencies,
    });
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+(-alpha\.\d+)?$/.test(version))).toEqual(
      [],
    );
  });
});

describe('every error code', () => {
  const codes = Object.keys(ERROR_CODES);
  const mentions = (of: readonly string[], code: string): boolean =>
    of.some((file) => read(file).includes(`'${code}'`));
  const raising = modules.filter((file) => !file.endsWith('error-codes.ts'));

  it.each(codes.filter((code) => code !== 'internal'))('%s is raised somewhere', (code) =>
    expect(mentions(raising, code)).toBe(true),
  );

  it.each(codes.filter((code) => code !== 'internal'))('%s is expected by a test', (code) =>
    expect(mentions(tests, code)).toBe(true),
  );
});
