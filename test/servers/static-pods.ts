// A small stand-in for the kubelet: runs the etcd of every manifest in a directory, stops it when its manifest goes, and
// starts it again when it dies. Like the kubelet's, its eye for files is simple: whatever their suffix, but for those whose
// names begin with a dot.
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseYaml } from '../../src/base/yaml.ts';
import { CLIENT_PORT, PEER_PORT } from './addresses.ts';
import { cleanEnvironment, spawnServer } from './processes.ts';

const POLL_MS = 20;

/** A process that does not end by then is killed. */
const GRACE_MS = 5000;

/** As long as the kubelet waits at first before it starts a pod again that has died. */
const BACK_OFF_MS = 200;

interface Pod {
  readonly kind?: string;
  readonly metadata?: { readonly name?: string };
  readonly spec?: {
    readonly containers?: readonly {
      readonly command?: readonly string[];
      readonly env?: readonly { readonly name: string; readonly value: string }[];
    }[];
  };
}

export interface StaticPodsOptions {
  /** The host's root. */
  readonly root: string;
  /** Of the node: which of the members in an OpenShift manifest is this host's. */
  readonly nodeName: string;
  /** The program. */
  readonly etcd: string;
  /** Where the output of every process goes. */
  readonly log: string;
}

interface Running {
  readonly text: string;
  readonly child: ChildProcess;
}

export class StaticPods {
  /** What no manifests directory should ever have held: half a manifest, two of one pod. */
  readonly violations: string[] = [];
  readonly #options: StaticPodsOptions;
  readonly #running = new Map<string, Running>();
  readonly #timer: NodeJS.Timeout;
  #startAt = 0;

  constructor(options: StaticPodsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), POLL_MS);
    this.#look();
  }

  /** The process of etcd; undefined while none runs. */
  get pid(): number | undefined {
    return [...this.#running.values()][0]?.child.pid;
  }

  get logTail(): string {
    return readFileSync(this.#options.log, 'utf8').split('\n').slice(-30).join('\n');
  }

  /** Looks at nothing any more, and kills what runs. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const children = [...this.#running.values()].map(({ child }) => child);
    await Promise.all(
      children.map(
        (child) =>
          new Promise((resolve) => {
            child.once('exit', resolve);
            child.kill('SIGKILL');
          }),
      ),
    );
  }

  #look(): void {
    const manifests = this.#manifests();
    if (manifests.size > 1) this.violations.push(`etcd twice: ${[...manifests.keys()].join(' ')}`);
    for (const [file, { text, child }] of this.#running) {
      if (manifests.get(file) !== text) end(child);
    }
    // One at a time: the kubelet, too, waits for the end of the pod before.
    if (this.#running.size > 0 || Date.now() < this.#startAt) return;
    const [first] = manifests;
    if (first !== undefined) this.#start(...first);
  }

  #manifests(): Map<string, string> {
    const directory = join(this.#options.root, 'etc/kubernetes/manifests');
    const found = new Map<string, string>();
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      try {
        if (name.startsWith('.') || !statSync(path).isFile()) continue;
        const text = readFileSync(path, 'utf8');
        const pod = parseYaml(text) as Pod | null;
        if (pod?.kind !== 'Pod' || pod.metadata?.name === undefined) {
          this.violations.push(`half a manifest: ${name}`);
        } else if (pod.metadata.name === 'etcd') found.set(path, text);
      } catch (reason) {
        if ((reason as NodeJS.ErrnoException).code !== 'ENOENT') {
          this.violations.push(`${name}: ${String(reason)}`);
        }
      }
    }
    return found;
  }

  #start(file: string, text: string): void {
    const { etcd, log: path } = this.#options;
    const log = openSync(path, 'a');
    const child = spawnServer(etcd, this.#flagsOf(parseYaml(text) as Pod), cleanEnvironment(), log);
    closeSync(log);
    this.#running.set(file, { text, child });
    child.once('exit', () => {
      this.#running.delete(file);
      this.#startAt = Date.now() + BACK_OFF_MS;
    });
  }

  #flagsOf(pod: Pod): string[] {
    const { command = [], env = [] } = pod.spec!.containers![0]!;
    const common = ['--heartbeat-interval=50', '--election-timeout=500', '--logger=zap'];
    if (basename(command[0] ?? '') === 'etcd') return [...this.#kubeadmFlags(command), ...common];
    return [
      ...this.#openshiftFlags(new Map(env.map(({ name, value }) => [name, value]))),
      ...common,
    ];
  }

  /** As they are, but for paths of the host and for what every host has on 127.0.0.1, and the tests once. */
  #kubeadmFlags(command: readonly string[]): string[] {
    return command
      .slice(1)
      .filter((flag) => !/^--(listen-metrics-urls|feature-gates)=/.test(flag))
      .map((flag) => flag.replace('https://127.0.0.1:2379,', ''))
      .map((flag) => flag.replace(/=(\/(?:etc|var)\/)/, `=${this.#options.root}$1`));
  }

  /** What the script in the manifest of the etcd operator makes of its variables (bindata/etcd/pod.gotpl.yaml). */
  #openshiftFlags(env: ReadonlyMap<string, string>): string[] {
    const { root, nodeName } = this.#options;
    const safeName = nodeName.replace(/[-.]/g, '_');
    const urlHost = env.get(`NODE_${safeName}_ETCD_URL_HOST`)!;
    const certs = join(root, 'etc/kubernetes/static-pod-resources/etcd-certs');
    const pair = (kind: string): string =>
      join(certs, `secrets/etcd-all-certs/etcd-${kind}-${nodeName}`);
    const ca = join(certs, 'configmaps/etcd-all-bundles/server-ca-bundle.crt');
    const [client, peer] = [CLIENT_PORT, PEER_PORT].map((port) => `https://${urlHost}:${port}`);
    return [
      `--name=${env.get(`NODE_${safeName}_ETCD_NAME`)!}`,
      `--data-dir=${join(root, env.get('ETCD_DATA_DIR')!)}`,
      `--listen-client-urls=${client!}`,
      `--advertise-client-urls=${client!}`,
      `--listen-peer-urls=${peer!}`,
      `--initial-advertise-peer-urls=${peer!}`,
      `--initial-cluster=${nodeName}=${peer!}`,
      `--initial-cluster-state=${env.get('ETCD_INITIAL_CLUSTER_STATE')!}`,
      ...etcdTlsFlags(pair, ca),
    ];
  }
}

function end(child: ChildProcess): void {
  if (child.killed) return;
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref();
}

/**
 * As OpenShift gives them to etcd.
 * @param pair path of a certificate and its key, without what they end with
 */
export function etcdTlsFlags(
  pair: (kind: 'serving' | 'peer') => string,
  ca: string,
): readonly string[] {
  return [
    `--cert-file=${pair('serving')}.crt`,
    `--key-file=${pair('serving')}.key`,
    `--trusted-ca-file=${ca}`,
    '--client-cert-auth=true',
    `--peer-cert-file=${pair('peer')}.crt`,
    `--peer-key-file=${pair('peer')}.key`,
    `--peer-trusted-ca-file=${ca}`,
    '--peer-client-cert-auth=true',
  ];
}
