// A backup by ssh, where there is no API: a real sshd on a node.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectFailure } from '../cli/failure.ts';
import { runCli, startCli } from '../cli/run.ts';
import { directoryForTest, isReceiving, usedDirectory } from '../cli/scene.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { describeWithSshNode, nodeForSuite } from '../servers/node/for-vitest.ts';
import { OPENSSH_ON_NODE, SSH_HOST, startSshd } from '../servers/node/openssh.ts';
import { Relay } from './relay.ts';
import { contentsOf, fill, NODE_DIRECTORIES, said } from './remote-run.ts';

describeWithSshNode('a backup by ssh', () => {
  const node = nodeForSuite({ shared: OPENSSH_ON_NODE });
  const place = temporaryDirectory();
  let relay: Relay;
  beforeAll(async () => {
    relay = await Relay.start(`https://${node().address}:22`);
    await startSshd(node(), place, new URL(relay.url));
    // Much of it takes a while.
    await fill(node());
  });
  afterAll(async () => {
    await relay[Symbol.asyncDispose]();
    removeTemporaryDirectory(place);
  });

  const destination = `root@${SSH_HOST}`;
  const env = { PATH: `${place}:${process.env['PATH']}` };
  const left = async (): Promise<string> => (await node().run(['ls', NODE_DIRECTORIES])).stdout;

  it('comes home proven, and leaves nothing there', async () => {
    const directory = directoryForTest();
    const args = ['backup', '--ssh', destination, '--dest-dir', directory];
    const outcome = await runCli(args, { env });
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stderr).toContain(`through     ssh ${destination}\n`);
    const verified = await runCli(['verify', directory]);
    expect(verified.code, verified.stderr).toBe(0);
    expect(await left()).toBe('');
  });

  it('a check of it says what it would be told', async () => {
    const outcome = await runCli(['check', '--ssh', destination], { env });
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stdout).toContain('its member leads');
    expect(await left()).toBe('');
  });

  it('goes on where it was when the connection is cut while it comes home', async () => {
    const directory = directoryForTest();
    relay.setPace({ back: 2e6 });
    const args = ['backup', '--ssh', destination, '--dest-dir', directory];
    const run = startCli(args, { env, timeoutMs: 120_000 });
    await run.waitUntil(() => isReceiving(directory));
    relay.cut();
    relay.setPace({});
    const outcome = await run.outcome;
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stderr).toContain('going on where it was');
    const verified = await runCli(['verify', directory]);
    expect(verified.code, verified.stderr).toBe(0);
    expect(await left()).toBe('');
  });

  it('told to stop, it leaves nothing at both ends', async () => {
    const directory = await usedDirectory();
    const earlier = contentsOf(directory);
    const args = ['backup', '--ssh', destination, '--dest-dir', directory, '--rate-limit=100kB'];
    const run = startCli(args, { env });
    await said(run, 'member      ');
    const outcome = await run.end('SIGINT');
    expect(outcome.code, outcome.stderr).toBe(130);
    expect(contentsOf(directory)).toEqual(earlier);
    expect(await left()).toBe('');
  });

  it('of a host that is not the one that is known: named, and nothing is asked', async () => {
    writeFileSync(join(place, 'known-hosts'), '');
    const args = ['backup', '--ssh', destination, '--dest-dir', directoryForTest()];
    const outcome = await runCli(args, { env });
    expect(expectFailure(outcome, 'ssh-failed').message).toMatch(
      /^cannot reach root@\S+: Host key verification failed/,
    );
  });
});
