// A host whose etcd runs from its manifest on the data in the host's own directory, as under a kubelet.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenshiftHost } from '../fixtures/openshift-host.ts';
import type { EtcdCluster } from '../servers/etcd.ts';
import { StaticPods } from '../servers/static-pods.ts';
import type { EtcdBinaries } from '../servers/versions.ts';

const WAIT_MS = 30_000;

export class HostWithEtcd implements AsyncDisposable {
  readonly #host: OpenshiftHost;
  readonly #cluster: EtcdCluster;
  readonly #directory = mkdtempSync(join(tmpdir(), 'etcdkeep-demo-'));
  readonly #pods: StaticPods;

  private constructor(host: OpenshiftHost, cluster: EtcdCluster, { etcd }: EtcdBinaries) {
    this.#host = host;
    this.#cluster = cluster;
    const { root, nodeName } = host;
    this.#pods = new StaticPods({ root, nodeName, etcd, log: this.#log });
  }

  /** Moves the data of the cluster's member to the host, and starts it there. */
  static async take(
    host: OpenshiftHost,
    cluster: EtcdCluster,
    binaries: EtcdBinaries,
  ): Promise<HostWithEtcd> {
    await cluster.member.kill();
    await rename(join(cluster.member.dataDir, 'member'), host.path('var/lib/etcd/member'));
    const taken = new HostWithEtcd(host, cluster, binaries);
    await taken.#waitUntil('healthy', () => cluster.gateway.isHealthy());
    return taken;
  }

  /** Zeros in the place of the database's pages: etcd dies, and dies again whenever it is started. */
  async loseDatabase(): Promise<void> {
    const path = this.#host.path('var/lib/etcd/member/snap/db');
    await using file = await open(path, 'r+');
    const { size } = await file.stat();
    await file.write(Buffer.alloc(size), 0, size, 0);
    const { pid } = this.#pods;
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await this.#waitUntil('down', async () => {
      const isHealthy = await this.#cluster.gateway.isHealthy();
      return !isHealthy && this.lastWords() !== '';
    });
  }

  /** What etcd has said last of why it ends. */
  lastWords(): string {
    const lines = readFileSync(this.#log, 'utf8').split('\n');
    return (
      lines.findLast((line) => /^panic|fatal|invalid database/.test(line))?.slice(0, 100) ?? ''
    );
  }

  get #log(): string {
    return join(this.#directory, 'etcd.log');
  }

  async #waitUntil(what: string, condition: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + WAIT_MS;
    while (!(await condition())) {
      if (performance.now() > deadline) throw new Error(`never ${what}:\n${this.#pods.logTail}`);
      await sleep(50);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pods.stop();
    rmSync(this.#directory, { recursive: true });
  }
}
