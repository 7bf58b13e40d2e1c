import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiClient } from '../../src/kubernetes/api-client.ts';
import { readKubeconfig } from '../../src/kubernetes/kubeconfig.ts';
import { execInPod } from '../../src/kubernetes/pod-exec.ts';
import { describeWithNode, nodeForSuite } from '../servers/node/for-vitest.ts';
import { type DebugPod, debugPod } from './debug-pod.ts';

describeWithNode('a command in a pod', () => {
  const node = nodeForSuite();
  const { signal } = new AbortController();
  let pod: DebugPod;
  let api: ApiClient;
  beforeAll(async () => {
    pod = await debugPod(node());
    const kubeconfig = await readFile(node().kubeconfig, 'utf8');
    const access = await readKubeconfig(kubeconfig, '/config', (path) => readFile(path, 'utf8'));
    api = new ApiClient(access, { proxy: undefined, timeoutMs: 20_000, signal });
  });
  afterAll(async () => {
    api.close();
    await pod[Symbol.asyncDispose]();
  });
  const exec = (
    command: readonly string[],
    wishes: { hasStdin?: boolean; signal?: AbortSignal } = {},
  ) =>
    execInPod(api, {
      namespace: 'default',
      pod: pod.name,
      container: 'container-00',
      command,
      hasStdin: false,
      signal,
      ...wishes,
    });

  it('gives both streams and the exit code', async () => {
    const { stdout, stderr, exit } = await exec(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(await Promise.all([text(stdout), text(stderr), exit])).toEqual(['out\n', 'err\n', 7]);
  });

  it('reads its stdin to the end', async () => {
    const { stdin, stdout, exit } = await exec(['sha256sum'], { hasStdin: true });
    const bytes = Buffer.alloc(5_000_000, 'etcd');
    stdin!.end(bytes);
    const digest = createHash('sha256').update(bytes).digest('hex');
    expect(await text(stdout)).toBe(`${digest}  -\n`);
    expect(await exit).toBe(0);
  });

  it('waits for a reader that is slow, and loses nothing', async () => {
    const { stdout, exit } = await exec(['head', '-c', '30000000', '/dev/zero']);
    let bytes = 0;
    let chunks = 0;
    for await (const chunk of stdout as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      chunks += 1;
      if (chunks % 100 === 0) await sleep(20);
      expect(stdout.readableLength).toBeLessThan(1_000_000);
    }
    expect([bytes, await exit]).toEqual([30_000_000, 0]);
  });

  it('ends, also when nobody reads what it prints any more', async () => {
    const { stdout, exit } = await exec(['head', '-c', '30000000', '/dev/zero']);
    await once(stdout, 'readable');
    await sleep(500);
    stdout.destroy();
    expect(await exit).toBe(0);
  });

  it('that cannot be run is no exit code', async () => {
    const { exit } = await exec(['/nowhere']);
    await expect(exit).rejects.toMatchObject({
      code: 'exec-failed',
      message: expect.stringContaining('no such file or directory') as string,
    });
  });

  it('in a pod that is not there is refused', async () => {
    const gone = execInPod(api, {
      namespace: 'default',
      pod: 'gone',
      container: 'x',
      command: ['true'],
      hasStdin: false,
      signal,
    });
    await expect(gone).rejects.toMatchObject({ code: 'api-refused', status: 404 });
  });

  it('is left when it is told to', async () => {
    const controller = new AbortController();
    const { exit } = await exec(['sleep', '60'], { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(exit).rejects.toThrow('enough');
  });
});
