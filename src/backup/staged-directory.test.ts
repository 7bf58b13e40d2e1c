import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { StagedDirectory } from './staged-directory.ts';

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'etcdkeep-staged-'));
});
afterEach(() => rmSync(place, { recursive: true }));

it('appears in one step, and stays once it is kept', async () => {
  const target = join(place, 'made/too/directory');
  await using staged = await StagedDirectory.begin(target);
  writeFileSync(join(staged.path, 'file'), 'text');
  expect(readdirSync(join(place, 'made/too'))).not.toContain('directory');
  await staged.publish();
  await staged.keep();
  await staged[Symbol.asyncDispose]();
  expect(readdirSync(join(place, 'made/too'))).toEqual(['directory']);
  expect(readdirSync(target)).toEqual(['file']);
});

it.each(['before it is published', 'after'])(
  'leaves nothing if it is not kept, %s',
  async (when) => {
    const staged = await StagedDirectory.begin(join(place, 'made/directory'));
    writeFileSync(join(staged.path, 'file'), 'text');
    if (when === 'after') await staged.publish();
    await staged[Symbol.asyncDispose]();
    expect(readdirSync(place)).toEqual([]);
    expect(await staged.left()).toEqual([]);
  },
);

it('says what of it is there', async () => {
  const target = join(place, 'directory');
  await using staged = await StagedDirectory.begin(target);
  const hidden = join(place, readdirSync(place)[0]!);
  expect(await staged.left()).toEqual([hidden]);
  await staged.publish();
  expect(await staged.left()).toEqual([target, hidden]);
});
