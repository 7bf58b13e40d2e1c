// What bin/etcdkeep tells Node holds in an executable as well: shown by one of another script, which says what it sees.
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { makeExecutable, nodeFlags } from '../../scripts/build/executable.ts';
import { directoryForTest } from '../cli/scene.ts';
import { runCommand } from '../servers/command.ts';
import { EXECUTABLE, HOME } from './built.ts';

/** Much is alive at each collection: the young generation grows to its limit. Then its size is said. */
const SCRIPT = `
const { getHeapSpaceStatistics } = require('node:v8');
const kept = [];
for (let index = 0; index < 2e6; index += 1) kept[index % 1e5] = { index, list: [index] };
const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
console.log(JSON.stringify({ flags: process.execArgv, youngBytes: young.space_size }));
`;

it('keeps its young generation as small as bin/etcdkeep does', async () => {
  const flags = await nodeFlags(HOME);
  expect(flags).toContain('--max-semi-space-size=1');
  const node = await readFile(process.execPath);
  const seen = async (given: readonly string[]) => {
    const parts = { start: SCRIPT, assets: new Map<string, string>(), flags: given };
    const executable = await makeExecutable(node, parts, directoryForTest());
    const { code, stdout, stderr } = await runCommand(executable, []);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout) as { flags: string[]; youngBytes: number };
  };
  const ours = await seen(flags);
  expect(ours.flags).toEqual(flags);
  expect(ours.youngBytes).toBeLessThanOrEqual(2 << 20);
  expect((await seen([])).youngBytes).toBeGreaterThan(2 << 20);
});

it('takes no flags from the environment, which are meant for other programs', async () => {
  const { code, stdout, stderr } = await runCommand(EXECUTABLE, ['--version'], {
    env: { NODE_OPTIONS: '--title=other --import=/nowhere.mjs' },
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
