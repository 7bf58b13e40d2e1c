import { expect, it } from 'vitest';
import { LocalShell } from './local-shell.fixture.ts';
import { nodeCommandFailed, runToEnd, shellScript } from './node-shell.ts';

const failureOf = async (script: string) => {
  const { code, stderr } = await runToEnd(new LocalShell(), shellScript(script));
  return nodeCommandFailed('read the backup', code, stderr);
};

it.each([
  ['says why', 'echo first >&2; echo "it is not there" >&2; exit 1', 'it is not there'],
  ['says nothing', 'exit 7', 'it ended with 7'],
  ['is killed', 'echo something else >&2; sh -c "kill -9 \\$\\$"', 'it was killed by SIGKILL'],
])('a command on the node that %s', async (_, script, why) => {
  expect(await failureOf(script)).toMatchObject({
    code: 'node-command-failed',
    message: `cannot read the backup on the node: ${why}`,
  });
});

it('a command on the node that fills the disk', async () => {
  expect(await failureOf('head -c 1 /dev/zero > /dev/full')).toMatchObject({
    code: 'disk-full',
    message: 'cannot read the backup on the node: no space is left on the file system',
  });
});
