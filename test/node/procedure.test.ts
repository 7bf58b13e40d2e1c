// The manual's page as docs/procedure.md walks through it, in two languages: each of its commands is run, in its order.
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ETCDKEEP } from '../cli/run.ts';
import { documentedCommands } from '../documented-commands.ts';
import { shapeOf } from '../readme-screen.ts';
import { type CommandResult, runCommand } from '../servers/command.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeWithNode, nodeForSuite } from '../servers/node/for-vitest.ts';
import { CHECKOUT, ETCDKEEP_ON_NODE } from './checkout.ts';

const commands = await documentedCommands('procedure.md');
const TIMEOUT_MS = 120_000;

it('the page in Japanese has the same commands', async () => {
  expect(await documentedCommands('ja/procedure.md')).toEqual(commands);
  expect(commands.length).toBeGreaterThan(20);
});

describeWithNode('a command of docs/procedure.md', () => {
  const node = nodeForSuite({ shared: CHECKOUT });
  const laptop = temporaryDirectory();
  afterAll(() => removeTemporaryDirectory(laptop));
  let path: string;

  beforeAll(async () => {
    const programs = join(laptop, 'programs');
    mkdirSync(programs);
    symlinkSync(ETCDKEEP, join(programs, 'etcdkeep'));
    const [kubectl] = node().kubectlLine([]);
    symlinkSync(kubectl!, join(programs, 'kubectl'));
    const { etcd } = await binariesOf('3.6.16');
    path = `${programs}:${dirname(etcd)}:${process.env.PATH}`;
  });

  const here = (line: string): Promise<CommandResult> => {
    const env = { ...process.env, PATH: path, KUBECONFIG: node().kubeconfig };
    const cwd = join(laptop, 'work');
    mkdirSync(cwd, { recursive: true });
    return runCommand('bash', ['-c', `{ ${line}\n} 2>&1`], { cwd, env, timeoutMs: TIMEOUT_MS });
  };
  const onHost = (line: string): Promise<CommandResult> => {
    const script = `PATH=${dirname(ETCDKEEP_ON_NODE)}:$PATH; { ${line}\n} 2>&1`;
    return node().run(['bash', '-c', script], { timeoutMs: TIMEOUT_MS });
  };

  it.each(commands)('$prompt $line', { timeout: TIMEOUT_MS }, async ({ prompt, line, shown }) => {
    const { code, stdout } = await (prompt === '$' ? here : onHost)(line);
    expect(code, stdout).toBe(0);
    const printed = stdout.split('\n');
    for (const one of shown) {
      if (/^\d+$/.test(one)) expect(printed, stdout).toContain(one);
      else expect(printed.map(shapeOf), stdout).toContain(shapeOf(one));
    }
  });
});
