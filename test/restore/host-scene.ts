// Where restores are carried out: a host whose etcd runs from its manifest, a backup of it, and what was written since.
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll } from 'vitest';
import type { RestorePlan } from '../../src/backup/restore/plan.ts';
import type { LayoutName } from '../../src/controlplane/host.ts';
import { type CliRun, runCli, startProgram } from '../cli/run.ts';
import { createKubeadmHost } from '../fixtures/kubeadm-host.ts';
import { createOpenshiftHost } from '../fixtures/openshift-host.ts';
import { CLIENT_PORT, PEER_PORT } from '../servers/addresses.ts';
import type { CommandResult } from '../servers/command.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { binariesOf, type EtcdCluster, startEtcd } from '../servers/etcd.ts';
import type { Gateway } from '../servers/gateway.ts';
import { StaticPods } from '../servers/static-pods.ts';

export const VERSION = '3.6.16';

const ENTRY = new URL('carry-out.ts', import.meta.url).pathname;
const NODE_NAME = 'ip-10-0-1-2.ec2.internal';
const WAIT_MS = 30_000;

/** Keys before the backup, and what became of them after it. */
const KEYS = 200;

const MANIFESTS = '/etc/kubernetes/manifests';
const PATHS = {
  openshift: {
    manifest: `${MANIFESTS}/etcd-pod.yaml`,
    stopped: '/home/core/assets/manifests-stopped',
  },
  kubeadm: { manifest: `${MANIFESTS}/etcd.yaml`, stopped: '/etc/kubernetes/manifests-stopped' },
} as const;

export interface RunChange {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly launcher?: readonly string[];
  /** Something happens just before one of the steps (test/faults/step-preload.ts). */
  readonly at?: StepAt;
}

export interface StepAt {
  /** The number of the step, or how its call and path end. */
  readonly step: number | string;
  readonly signal?: NodeJS.Signals;
  /** What the step fails with; with ENOSPC all later ones that take room, too. */
  readonly error?: 'ENOSPC' | 'EIO' | 'EROFS';
}

const PRELOAD = new URL('../faults/step-preload.ts', import.meta.url).href;

export class Scene {
  readonly layout: LayoutName;
  readonly root: string;
  readonly nodeName: string;
  /** Directory for what a test needs. */
  readonly work: string;
  readonly cluster: EtcdCluster;
  readonly snapshot: string;
  readonly resources: string;
  readonly #etcd: string;
  readonly #remove: () => void;
  #pods: StaticPods | undefined;
  #stamps = 0;

  constructor(
    layout: LayoutName,
    host: { readonly root: string; readonly nodeName: string; remove(): void },
    cluster: EtcdCluster,
    made: {
      readonly work: string;
      readonly snapshot: string;
      readonly resources: string;
      readonly etcd: string;
    },
  ) {
    this.layout = layout;
    this.root = host.root;
    this.nodeName = host.nodeName;
    this.cluster = cluster;
    this.work = made.work;
    this.snapshot = made.snapshot;
    this.resources = made.resources;
    this.#etcd = made.etcd;
    this.#remove = () => host.remove();
    this.watchManifests();
  }

  /** The stand-in for the kubelet. */
  get pods(): StaticPods {
    return this.#pods!;
  }

  watchManifests(): void {
    this.#pods = new StaticPods({
      root: this.root,
      nodeName: this.nodeName,
      etcd: this.#etcd,
      log: join(this.work, 'etcd.log'),
    });
  }

  get gateway(): Gateway {
    return this.cluster.gateway;
  }

  get manifest(): string {
    return this.path(PATHS[this.layout].manifest);
  }

  path(hostPath: string): string {
    return join(this.root, hostPath);
  }

  /** What lies in the data directory. */
  dataNames(): Promise<string[]> {
    return readdir(this.path('/var/lib/etcd'));
  }

  async waitUntilHealthy(): Promise<void> {
    await this.waitUntil('healthy', () => this.gateway.isHealthy());
  }

  async waitUntil(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + WAIT_MS;
    while (!(await condition())) {
      if (performance.now() > deadline) throw new Error(`never ${what}:\n${this.pods.logTail}`);
      await sleep(50);
    }
  }

  /** What a plan of these would say; `look` makes it from the host. */
  async plan(
    stamp: string,
    change: Partial<RestorePlan> = {},
    snapshot = this.snapshot,
  ): Promise<RestorePlan> {
    const { layout, root, nodeName, cluster } = this;
    const { manifest, stopped } = PATHS[layout];
    const revision = await this.revisionOf(snapshot);
    const newest = await this.gateway.revision().catch(() => revision);
    const by = 1_000_000_000n + (newest > revision ? newest - revision : 0n);
    const openshift = '/etc/kubernetes/static-pod-resources/etcd-certs';
    const files =
      layout === 'openshift'
        ? {
            cacert: `${openshift}/configmaps/etcd-all-bundles/server-ca-bundle.crt`,
            cert: `${openshift}/secrets/etcd-all-certs/etcd-peer-${nodeName}.crt`,
            key: `${openshift}/secrets/etcd-all-certs/etcd-peer-${nodeName}.key`,
          }
        : {
            cacert: '/etc/kubernetes/pki/etcd/ca.crt',
            cert: '/etc/kubernetes/pki/apiserver-etcd-client.crt',
            key: '/etc/kubernetes/pki/apiserver-etcd-client.key',
          };
    return {
      version: 1,
      stamp,
      method: 'direct',
      clearAlarms: false,
      host: { root, name: nodeName, layout },
      backup: {
        stamp: undefined,
        kind: 'pair',
        snapshot,
        resources: this.resources,
        snapshotBytes: (await stat(snapshot)).size,
        revision: `${revision}`,
        sha256: createHash('sha256')
          .update(await readFile(snapshot))
          .digest('hex'),
      },
      member: {
        name: nodeName,
        peerUrls: [cluster.member.peerUrl],
        clusterToken: `etcdkeep-${stamp}`,
        endpoint: cluster.endpoint,
        ...files,
      },
      data: {
        directory: '/var/lib/etcd',
        isMount: false,
        build: `/var/lib/etcd/restore-${stamp}`,
        kept: `/var/lib/etcd/member-before-${stamp}`,
        uid: process.geteuid!(),
        gid: process.getegid!(),
        mode: 0o700,
        selinux: undefined,
      },
      bump: { by: `${by}`, to: `${revision + by}`, above: [] },
      etcd: {
        manifest,
        source: manifest,
        stopped,
        clientPort: CLIENT_PORT,
        peerPort: PEER_PORT,
        containers: ['etcd'],
      },
      resources: [],
      encryptionKeys: [],
      keptResources: `/var/lib/etcdkeep/restores/${stamp}/resources`,
      serveTimeoutMs: WAIT_MS,
      ...change,
    };
  }

  async revisionOf(snapshot: string): Promise<bigint> {
    const { stdout } = await runCli(['snapshot', 'status', snapshot, '--write-out=json']);
    return BigInt((JSON.parse(stdout) as { revision: number }).revision);
  }

  /** Starts carrying out a plan. */
  async start(plan: RestorePlan, change: RunChange = {}): Promise<CliRun> {
    const path = join(this.work, `plan-${plan.stamp}.json`);
    await writeFile(path, JSON.stringify(plan));
    return this.#act(['carry-out', this.root, this.layout, path], change);
  }

  async carryOut(plan: RestorePlan, change: RunChange = {}): Promise<CommandResult> {
    return await (await this.start(plan, change)).outcome;
  }

  resume(stamp?: string, change: RunChange = {}): Promise<CommandResult> {
    return this.#act(
      ['resume', this.root, this.layout, ...(stamp === undefined ? [] : [stamp])],
      change,
    ).outcome;
  }

  rollBack(stamp?: string, change: RunChange = {}): Promise<CommandResult> {
    return this.#act(
      ['rollback', this.root, this.layout, ...(stamp === undefined ? [] : [stamp])],
      change,
    ).outcome;
  }

  /** Where the steps of the last run with `at` are written down. */
  get stepsLog(): string {
    return join(this.work, 'steps.log');
  }

  /** A stamp that no run has had. */
  nextStamp(): string {
    this.#stamps += 1;
    return `20261123-${`${this.#stamps}`.padStart(6, '0')}`;
  }

  #act(args: readonly string[], { env, launcher, at }: RunChange): CliRun {
    if (at !== undefined) rmSync(this.stepsLog, { force: true });
    const steps = at && {
      NODE_OPTIONS: `--import=${PRELOAD}`,
      ETCDKEEP_STEPS_BELOW: ['var', 'etc', 'home']
        .map((name) => join(this.root, name))
        .join(delimiter),
      ETCDKEEP_STEPS_LOG: this.stepsLog,
      ETCDKEEP_STEPS_AT: `${at.step}`,
      ETCDKEEP_STEPS_SIGNAL: at.signal,
      ETCDKEEP_STEPS_ERROR: at.error,
    };
    return startProgram(process.execPath, [ENTRY, ...args], {
      env: { ...steps, ...env },
      ...(launcher === undefined ? {} : { launcher }),
    });
  }

  async stop(): Promise<void> {
    await this.pods.stop();
    this.gateway.close();
    await this.cluster.stop();
    this.#remove();
    removeTemporaryDirectory(this.work);
  }
}

/** A host for all tests of the describe block it is called in. */
export function sceneForSuite(layout: LayoutName): () => Scene {
  let scene: Scene | undefined;
  beforeAll(async () => {
    scene = await createScene(layout);
  });
  afterAll(() => scene?.stop());
  return () => scene!;
}

/** Which of two states the data are in: `backup`, or `before` as at the moment before the restore. */
export async function dataOf(gateway: Gateway): Promise<string> {
  const values = (await gateway.list('/registry/')).map(
    ({ key, value }) => `${key.toString()}=${value.toString()}`,
  );
  const digest = createHash('sha256').update(values.join('\n')).digest('hex');
  if (digest === digestOf('backup')) return 'backup';
  return digest === digestOf('before') ? 'before' : `${values.length} keys of neither`;
}

function digestOf(state: 'backup' | 'before'): string {
  const values = keysOf(state).map(([key, value]) => `${key}=${value}`);
  return createHash('sha256').update(values.sort().join('\n')).digest('hex');
}

function keysOf(state: 'backup' | 'before'): [string, string][] {
  const all = Array.from({ length: KEYS }, (_, index): [string, string] => [
    `/registry/things/${`${index}`.padStart(4, '0')}`,
    `thing ${index}`,
  ]);
  if (state === 'backup') return all;
  return [...all.slice(0, -1), ['/registry/things/made-since', 'lost']];
}

/** Writes what is lost in a restore. */
export async function writeSince(gateway: Gateway): Promise<void> {
  await gateway.delete(keysOf('backup').at(-1)![0]);
  await gateway.put(...keysOf('before').at(-1)!);
}

/** A host with a backup, and its etcd as its manifest says. */
export async function createScene(layout: LayoutName): Promise<Scene> {
  const cluster = await startEtcd({ version: VERSION, tls: 'mutual', names: [NODE_NAME] });
  try {
    const host =
      layout === 'openshift'
        ? await createOpenshiftHost(cluster, { nodeName: NODE_NAME })
        : await createKubeadmHost(cluster);
    const { gateway, member } = cluster;
    for (const [key, value] of keysOf('backup')) await gateway.put(key, value);
    const work = temporaryDirectory();
    const backups = join(work, 'backups');
    const backup = await runCli(['backup', `--root=${host.root}`, backups]);
    if (backup.code !== 0) throw new Error(`no backup: ${backup.stderr}`);
    const names = await readdir(backups);
    const named = (start: string): string =>
      join(backups, names.find((name) => name.startsWith(start))!);
    await writeSince(gateway);
    await member.kill();
    await rename(join(member.dataDir, 'member'), join(host.root, 'var/lib/etcd/member'));
    const { etcd } = await binariesOf(VERSION);
    const made = { work, snapshot: named('snapshot'), resources: named('static'), etcd };
    const scene = new Scene(layout, host, cluster, made);
    await scene.waitUntilHealthy();
    return scene;
  } catch (reason) {
    await cluster.stop();
    throw reason;
  }
}
