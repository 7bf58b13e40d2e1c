import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readDatabase } from '../../test/fixtures/databases/databases.ts';
import { EtcdkeepError } from '../base/errors.ts';
import { type DefragStep, defragSnapshot } from './defrag.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'etcdkeep-test-'));
  writeFileSync(join(directory, 'snapshot.db'), readDatabase('tree'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function defrag(report: (step: DefragStep) => void, signal = new AbortController().signal) {
  const [file, to] = [join(directory, 'snapshot.db'), join(directory, 'copy.db')];
  return defragSnapshot({ file, to, overwrite: false, skipHashCheck: false, signal, report });
}

it('tells each step', async () => {
  const steps: DefragStep[] = [];
  await defrag((step) => steps.push(step));
  expect(steps).toEqual(['comparing the digest', 'reading', 'copying', 'reading the copy']);
  expect(readdirSync(directory).sort()).toEqual(['copy.db', 'snapshot.db']);
});

/** Changes a byte of every page with a value, in the snapshot or in what is written of the copy. */
function spoil(name: RegExp): void {
  const path = join(directory, readdirSync(directory).find((found) => name.test(found))!);
  const bytes = readFileSync(path);
  for (let at = bytes.indexOf('pod pod'); at >= 0; at = bytes.indexOf('pod pod', at)) {
    bytes.write('P', at);
  }
  writeFileSync(path, bytes);
}

it.each<[string, DefragStep, RegExp]>([
  ['the snapshot is changed while it is copied', 'copying', /^snapshot\.db$/],
  ['the copy is changed on its way to the disk', 'reading the copy', /\.part$/],
])('%s', async (_, when, name) => {
  const changing = defrag((step) => {
    if (step === when) spoil(name);
  });
  await expect(changing).rejects.toMatchObject({
    code: 'file-failed',
    message: 'the copy does not hold what the snapshot held when it was read first',
    aftermath: 'Nothing was written.',
  });
  expect(readdirSync(directory)).toEqual(['snapshot.db']);
});

it.each<DefragStep>(['comparing the digest', 'copying', 'reading the copy'])(
  'interrupted while %s',
  async (when) => {
    const controller = new AbortController();
    const interrupted = defrag((step) => {
      if (step === when) controller.abort(new EtcdkeepError('interrupted', 'stopped'));
    }, controller.signal);
    await expect(interrupted).rejects.toMatchObject({ code: 'interrupted' });
    expect(readdirSync(directory)).toEqual(['snapshot.db']);
  },
);
