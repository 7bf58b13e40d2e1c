import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { recordPages } from './documentation.ts';

describe('recordPages', () => {
  it.each(recordPages())('$path is as it would be generated', async ({ path, text }) => {
    const file = fileURLToPath(new URL(`../../${path}`, import.meta.url));
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('every field is described', () => {
    const page = recordPages().find(({ path }) => path === 'docs/record.md')!.text;
    expect(page.match(/^\| `.*\| *\|$/gm)).toBeNull();
    expect(page).toContain('| `resources.members[].mode` | string | permission bits in octal');
  });
});
