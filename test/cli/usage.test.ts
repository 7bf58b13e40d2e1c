// Command lines that are none: the exit code of the process is 2, and nothing is made.
import { describe, expect, it } from 'vitest';
import { COMMANDS } from './commands.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { usedDirectory } from './scene.ts';
import { untouched } from './untouched.ts';

describe.each([
  ['no such command', ['undelete', 'x']],
  ['no file', ['snapshot', 'save']],
  ['one argument too many', ['snapshot', 'save', 'a', 'b']],
  ['no such flag', ['backup', '--nope', 'a']],
  ['a flag that only the other command has', ['backup', '--overwrite', 'a']],
  ['no duration', ['backup', '--idle-timeout=5', 'a']],
  ['no size', ['snapshot', 'save', '--rate-limit=fast', 'a']],
  ['no such output', ['snapshot', 'save', '--output=yaml', 'a']],
  ['a flag without its value', ['snapshot', 'save', 'a', '--endpoints']],
])('%s', (_, line) => {
  it('is told in plain words', async () => {
    const directory = await usedDirectory();
    const outcome = await untouched(directory, () => runCli(line, { cwd: directory }));
    expect(expectFailure(outcome, 'usage', 2).rows.get('do')).toBe('see --help');
    expect(outcome.stdout).toBe('');
  });
});

it('without a command it prints its help', async () => {
  const outcome = await runCli([]);
  expect(outcome).toMatchObject({ code: 0, stderr: '' });
  for (const { command } of COMMANDS) expect(outcome.stdout).toContain(`etcdkeep ${command}`);
});

it('a backup without a place for it is told of both ways', async () => {
  const { rows } = expectFailure(await runCli(['backup']), 'usage', 2);
  expect(rows.get('do')).toBe(
    'etcdkeep backup DIR, on the host itself; or --node NAME --dest-dir DIR',
  );
});
