import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openFileSource } from './file-source.ts';

const directory = mkdtempSync(join(tmpdir(), 'file-source-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string): string {
  const path = join(directory, name);
  writeFileSync(path, '0123456789');
  return path;
}

describe('openFileSource', () => {
  it('reads at any offset', async () => {
    const source = openFileSource(file('database'));
    const into = Buffer.alloc(4);
    await source.read(into, 6);
    expect(into.toString()).toBe('6789');
    expect(source.size).toBe(10);
    source.close();
  });

  it('the database is less than the file, or more', () => {
    expect(openFileSource(file('less'), 8).size).toBe(8);
    expect(openFileSource(file('more'), 12).size).toBe(10);
  });

  it('there is no file', () => {
    const path = join(directory, 'nothing');
    expect(() => openFileSource(path)).toThrow(
      expect.objectContaining({ code: 'file-failed', position: { path } }),
    );
  });

  it('the file becomes shorter while it is read', () => {
    const path = file('shorter');
    const source = openFileSource(path);
    truncateSync(path, 7);
    expect(() => source.read(Buffer.alloc(10), 0)).toThrow(
      expect.objectContaining({ code: 'file-failed', position: { path, offset: 7 } }),
    );
    source.close();
  });

  it('it is a directory', () => {
    expect(() => openFileSource(directory)).toThrow('cannot read the database: it is a directory');
  });

  it.each(['pipe', '/dev/zero', '/dev/tty'])('it is no file: %s', (name) => {
    const path = join(directory, name);
    if (name === 'pipe') execFileSync('mkfifo', [path]);
    // A pipe that nobody writes to: it does not wait.
    expect(() => openFileSource(name === 'pipe' ? path : name)).toThrow(
      expect.objectContaining({ code: 'file-failed' }),
    );
  });
});
