// A debug pod that ends between being seen to run and being used. A mock of an API server and its kubelet: on a real node that is a
// matter of milliseconds.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { DebugPod } from '../../src/controlplane/debug-pod.ts';
import { ApiClient } from '../../src/kubernetes/api-client.ts';
import { findApiAccess } from '../../src/kubernetes/kubeconfig-files.ts';
import { directoryForTest } from '../cli/scene.ts';
import { kubeconfigText } from '../fixtures/kubeconfig.ts';
import { CertificateAuthority } from '../servers/pki.ts';

const REFUSAL = 'failed to create exec "7": container not created: not found';
const END = "mkdir: cannot create directory '/host/x': No space left on device";

it('is told by why it has ended, which the API knows after the kubelet does', async () => {
  const place = directoryForTest();
  const authority = await CertificateAuthority.create(place, 'mock');
  const pair = await authority.issue('serving', { commonName: 'mock', names: ['127.0.0.1'] });
  const [ca, cert, key] = [authority.cert, pair.cert, pair.key].map((path) => readFileSync(path));
  let looksAfterwards: number | undefined;
  let isDeleted = false;
  const statusOfPod = (): object => {
    if (looksAfterwards === undefined || ++looksAfterwards < 3) return { phase: 'Running' };
    const terminated = { reason: 'Error', message: END };
    return { phase: 'Failed', containerStatuses: [{ state: { terminated } }] };
  };
  const mock = createServer({ cert, key }, ({ method }, response) => {
    if (method === 'DELETE') isDeleted = true;
    const isGone = isDeleted && method === 'GET';
    const pod = { metadata: { name: 'debug' }, status: statusOfPod() };
    response.writeHead(isGone ? 404 : 200);
    response.end(JSON.stringify(isGone ? { reason: 'NotFound', message: 'it is gone' } : pod));
  });
  const sockets = new WebSocketServer({
    server: mock,
    handleProtocols: (protocols) => [...protocols][0]!,
  });
  sockets.on('connection', (socket) => {
    looksAfterwards = 0;
    const status = { status: 'Failure', reason: 'InternalError', message: REFUSAL };
    socket.send(Buffer.concat([Buffer.of(3), Buffer.from(JSON.stringify(status))]));
  });
  await new Promise<void>((resolve) => mock.listen(0, '127.0.0.1', resolve));
  const server = `https://127.0.0.1:${(mock.address() as AddressInfo).port}`;
  const kubeconfig = join(place, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText({ server, ca: ca!, cert: cert!, key: key! }));
  const { signal } = new AbortController();
  const access = await findApiAccess({ kubeconfig, context: undefined, env: {} });
  const api = new ApiClient(access, { proxy: undefined, timeoutMs: 5000, signal });
  try {
    const made = DebugPod.create(api, {
      node: {
        name: 'master-0',
        isReady: true,
        hasDiskPressure: false,
        architecture: 'amd64',
        etcd: undefined,
      },
      layout: 'openshift',
      namespace: 'openshift-etcd',
      image: 'etcd',
      owner: 'test',
      now: () => new Date(),
      leftBehind: (words) => expect.unreachable(words),
      signal,
    });
    await expect(made).rejects.toMatchObject({
      code: 'disk-full',
      message: expect.stringContaining('No space left on device') as string,
      cause: { message: expect.stringContaining(REFUSAL) as string },
    });
  } finally {
    api.close();
    sockets.close();
    mock.close();
  }
});
