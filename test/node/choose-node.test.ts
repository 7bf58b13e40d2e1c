// --node auto among two members of etcd: one on a node that is whole, and one of a node that has nothing else.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { runCli, startCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { findRelease } from '../servers/binaries.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { EtcdMember } from '../servers/member.ts';
import { describeWithNode, nodeForSuite } from '../servers/node/for-vitest.ts';
import { NODE_ETCD_VERSION } from '../servers/node/programs.ts';
import { NODE_INFO } from '../servers/recovered-cluster.ts';
import { etcdctl } from './debug-pod.ts';
import { said, through } from './remote-run.ts';

const OTHER = 'master-1';
const PODS = '/api/v1/namespaces/openshift-etcd/pods';
const LONG = { timeoutMs: 120_000 };

describeWithNode('the node of a backup', () => {
  const node = nodeForSuite();
  const place = temporaryDirectory();
  let own: EtcdMember;
  let other: EtcdMember;
  beforeAll(async () => {
    [own, other] = await members();
    await manage('member', 'add', OTHER, '--learner', `--peer-urls=${other.peerUrl}`);
    other.start([own, other], 'existing');
    await other.waitUntilHealthy();
  });
  afterAll(async () => {
    await other.kill();
    removeTemporaryDirectory(place);
  });

  const manage = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await etcdctl(node(), args);
    expect(code, stderr).toBe(0);
    return stdout;
  };
  const idOf = async (name: string): Promise<string> => {
    const list = await manage('member', 'list');
    return list
      .split('\n')
      .find((line) => line.includes(` ${name},`))!
      .split(',')[0]!;
  };
  const line = (): string[] => through(node(), '--node=auto', '--dest-dir', directoryForTest());

  /** Runs a backup, and expects it to have been taken on the node that is whole. */
  async function expectOwn(why: string): Promise<void> {
    await pretendNode();
    const outcome = await runCli(line(), LONG);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(choiceOf(outcome)).toBe(`${node().nodeName} · OpenShift layout; ${why}`);
  }

  it('is that of the member that votes', () =>
    expectOwn(`its member leads; ${OTHER} is a learner`));

  it('is that of the member that serves', async () => {
    await pretendNode();
    other.signal('SIGSTOP');
    const outcome = await runCli(line(), LONG).finally(() => other.signal('SIGCONT'));
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(choiceOf(outcome)).toMatch(
      /^master-0 · OpenShift layout; its member leads; master-1 does not serve \(.+\)$/,
    );
  });

  it('is that of the member that does not lead', async () => {
    await vi.waitFor(async () => manage('member', 'promote', await idOf(OTHER)), {
      timeout: 20_000,
      interval: 500,
    });
    // The better one is where nothing can be run: that it was chosen is all there is to see.
    await pretendNode();
    const run = startCli(line(), LONG);
    await said(run, 'node  ');
    expect(choiceOf(run)).toBe(`${OTHER} · OpenShift layout; its member follows; master-0 leads`);
    const stopped = await run.end('SIGINT');
    expect(stopped.code, stopped.stderr).toBe(130);
    const stuck = ['-n', 'openshift-etcd', '--field-selector', `spec.nodeName=${OTHER}`];
    await node().kubectl(['delete', 'pods', ...stuck, '--force', '--grace-period=0']);

    await manage('move-leader', await idOf(OTHER));
    await expectOwn(`its member follows; ${OTHER} leads`);
  });

  /** The one on the node, which is not ours to start; and another one here. */
  async function members(): Promise<[EtcdMember, EtcdMember]> {
    const release = await findRelease(NODE_ETCD_VERSION);
    if ('reason' in release) throw new Error(release.reason);
    const { machineAddress, address, nodeName, pki } = node();
    const pair = await pki.etcdMember([machineAddress, 'localhost', '127.0.0.1']);
    const written = (name: string, bytes: Buffer): string => {
      mkdirSync(join(place, 'certificates'), { recursive: true });
      const path = join(place, 'certificates', name);
      writeFileSync(path, bytes, { mode: 0o600 });
      return path;
    };
    const files = { cert: written('member.crt', pair.cert), key: written('member.key', pair.key) };
    const { cert, key } = pki.etcdClient;
    const tls = {
      mode: 'mutual',
      ca: written('ca.crt', pki.etcd.cert),
      serving: files,
      peer: files,
      client: { cert: written('client.crt', cert), key: written('client.key', key) },
    } as const;
    const settings = { binaries: release.binaries, directory: place, tls, flags: FLAGS };
    return [
      new EtcdMember({ ...settings, name: nodeName, address }),
      new EtcdMember({ ...settings, name: OTHER, address: machineAddress }),
    ];
  }

  /** Its Node and the pod of its etcd, as its kubelet would tell of them now. */
  async function pretendNode(): Promise<void> {
    const { api, images } = node();
    const roles = ['control-plane', 'master'].map((role) => [
      `node-role.kubernetes.io/${role}`,
      '',
    ]);
    const itsNode = { apiVersion: 'v1', kind: 'Node', metadata: { name: OTHER } };
    await api.apply(`/api/v1/nodes/${OTHER}`, {
      ...itsNode,
      metadata: { name: OTHER, labels: Object.fromEntries(roles) as Record<string, string> },
    });
    await api.apply(`/api/v1/nodes/${OTHER}/status`, {
      ...itsNode,
      status: { conditions: [READY], nodeInfo: NODE_INFO },
    });
    const name = `etcd-${OTHER}`;
    const itsPod = { apiVersion: 'v1', kind: 'Pod', metadata: { name } };
    await api.apply(`${PODS}/${name}`, {
      ...itsPod,
      metadata: { name, labels: { app: 'etcd' } },
      spec: { nodeName: OTHER, containers: [{ name: 'etcd', image: images.tools }] },
    });
    await api.apply(`${PODS}/${name}/status`, { ...itsPod, status: { conditions: [READY] } });
  }
});

/** Which node it says, and why. They are not asked at one moment, so that any of them may be some entries behind. */
function choiceOf({ stderr }: { readonly stderr: string }): string | undefined {
  return /^node {8}(.*)$/m.exec(stderr)?.[1]?.replaceAll(/, [\d,]+ entr(y|ies) behind/g, '');
}

/** The elections of the member on the node, whose cluster this one joins. */
const FLAGS = ['--heartbeat-interval=100', '--election-timeout=1000'];

const READY = { type: 'Ready', status: 'True' };
