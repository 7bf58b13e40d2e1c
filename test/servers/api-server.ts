// A real kube-apiserver for tests, which stores in a test cluster of etcd as OpenShift's does: it is always
// stopped, by `stop()` or with the process.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freeLoopbackAddress } from './addresses.ts';
import { ApiRequests, type Credentials } from './api-requests.ts';
import { removeTemporaryDirectory, temporaryDirectory } from './directories.ts';
import type { EtcdCluster } from './etcd.ts';
import { findApiServer } from './kubernetes.ts';
import { CertificateAuthority, type KeyPairFiles } from './pki.ts';
import { cleanEnvironment, signalServer, spawnServer } from './processes.ts';

const PORT = 6443;
const READY_TIMEOUT_MS = 50_000;
const READY_INTERVAL_MS = 100;

export interface ApiServerOptions {
  /** More names that its certificate is for. */
  readonly names?: readonly string[];
  /** Of its certificate, and of its clients', so that a client of another one's is one of this one; else one of its own. */
  readonly authority?: CertificateAuthority;
  /** More of its flags. */
  readonly flags?: readonly string[];
}

export class ApiServer extends ApiRequests {
  /** The authority of its certificate, a PEM file. */
  readonly ca: string;
  readonly #directory: string;
  readonly #process: ChildProcess;

  constructor(settings: {
    readonly url: string;
    readonly ca: string;
    readonly directory: string;
    readonly process: ChildProcess;
    readonly credentials: Credentials;
  }) {
    super(settings.url, settings.credentials);
    this.ca = settings.ca;
    this.#directory = settings.directory;
    this.#process = settings.process;
  }

  /** The server's process id. Throws if it was never started. */
  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error('kube-apiserver was not started');
    return pid;
  }

  /** SIGCONT, or SIGSTOP, which has worked on return. */
  signal(signal: NodeJS.Signals): void {
    signalServer(this.pid, signal);
  }

  /** Kills it and removes its files. */
  async stop(): Promise<void> {
    if (this.#isRunning()) {
      const exit = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await exit;
    }
    removeTemporaryDirectory(this.#directory);
  }

  async waitUntilReady(): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    for (;;) {
      if (await this.isReady()) return;
      if (!this.#isRunning() || performance.now() > deadline) {
        const log = readFileSync(join(this.#directory, 'log'), 'utf8').split('\n').slice(-20);
        throw new Error(`kube-apiserver is not ready:\n${log.join('\n')}`);
      }
      await sleep(READY_INTERVAL_MS);
    }
  }

  #isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }
}

/** Starts one and waits until it is ready. */
export async function startApiServer(
  etcd: EtcdCluster,
  { names = [], flags = [], authority: given }: ApiServerOptions = {},
): Promise<ApiServer> {
  const found = await findApiServer();
  if ('reason' in found) throw new Error(`kube-apiserver cannot be had: ${found.reason}`);
  const directory = temporaryDirectory();
  const address = await freeLoopbackAddress([PORT]);
  const authority = given ?? (await CertificateAuthority.create(directory, 'kube-ca'));
  const serving = await authority.issue(`serving-${address}`, {
    commonName: 'kube-apiserver',
    names: [address, 'localhost', ...names],
  });
  const signing = await authority.issue(`service-account-${address}`, {
    commonName: 'service-account',
  });
  const admin = await authority.issue(`admin-${address}`, {
    commonName: 'system:admin',
    organization: 'system:masters',
    usages: ['client'],
  });
  const log = openSync(join(directory, 'log'), 'a');
  const own = { address, ca: authority.cert, serving, signing };
  const args = [...flagsFor(etcd, own), ...flags];
  const child = spawnServer(found.path, args, cleanEnvironment(), log);
  closeSync(log);
  const server = new ApiServer({
    url: `https://${address}:${PORT}`,
    ca: authority.cert,
    directory,
    process: child,
    credentials: {
      ca: await readFile(authority.cert),
      cert: await readFile(admin.cert),
      key: await readFile(admin.key),
    },
  });
  try {
    await server.waitUntilReady();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function flagsFor(
  { endpoints, member }: EtcdCluster,
  own: {
    readonly address: string;
    readonly ca: string;
    readonly serving: KeyPairFiles;
    readonly signing: KeyPairFiles;
  },
): string[] {
  const { tls } = member;
  const client =
    tls === undefined
      ? []
      : [
          `--etcd-cafile=${tls.ca}`,
          `--etcd-certfile=${tls.client.cert}`,
          `--etcd-keyfile=${tls.client.key}`,
        ];
  return [
    `--etcd-servers=${endpoints.join(',')}`,
    ...client,
    // OpenShift's; upstream's is /registry.
    '--etcd-prefix=kubernetes.io',
    `--bind-address=${own.address}`,
    // Else it looks for a default route, which a machine without a network lacks.
    `--advertise-address=${own.address}`,
    `--secure-port=${PORT}`,
    `--tls-cert-file=${own.serving.cert}`,
    `--tls-private-key-file=${own.serving.key}`,
    `--client-ca-file=${own.ca}`,
    '--authorization-mode=RBAC',
    `--service-account-key-file=${own.signing.cert}`,
    `--service-account-signing-key-file=${own.signing.key}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    '--service-cluster-ip-range=10.96.0.0/16',
    // An address of the loopback is none that a Service could point to.
    '--endpoint-reconciler-type=none',
    '--disable-admission-plugins=ServiceAccount',
  ];
}
