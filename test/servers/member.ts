// One etcd member: its process, its files, and the tools pointed at it.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLIENT_PORT, PEER_PORT } from './addresses.ts';
import { type CommandOptions, type CommandResult, runCommand } from './command.ts';
import { Gateway, type GatewayTls } from './gateway.ts';
import type { KeyPairFiles } from './pki.ts';
import { cleanEnvironment, signalServer, spawnServer } from './processes.ts';
import { byVersion, type EtcdBinaries } from './versions.ts';

const HEALTH_TIMEOUT_MS = 30_000;
const HEALTH_INTERVAL_MS = 20;
const COMMAND_TIMEOUT_MS = 60_000;
const LOG_TAIL_LINES = 40;

export interface User {
  readonly name: string;
  readonly password: string;
}

/** How a member and its clients speak TLS. */
export interface MemberTls {
  /** `server`: clients need no certificate. `mutual`: they do. */
  readonly mode: 'server' | 'mutual';
  readonly ca: string;
  /** What the member shows to clients, and to peers. Both serve as client certificates as well. */
  readonly serving: KeyPairFiles;
  readonly peer: KeyPairFiles;
  /** A client certificate that the member accepts. */
  readonly client: KeyPairFiles;
}

export interface MemberSettings {
  readonly binaries: EtcdBinaries;
  readonly name: string;
  readonly address: string;
  /** Where its data directory and its log are made. */
  readonly directory: string;
  readonly tls: MemberTls | undefined;
  readonly flags: readonly string[];
  /** Where its peers reach it, if not where clients do. */
  readonly peerAddress?: string;
  /** What stands before its command line. */
  readonly launcher?: readonly string[];
}

export interface ToolOptions extends CommandOptions {
  /** Who etcdctl logs in as; defaults to root where authentication is on. `none` logs in nobody. */
  readonly user?: User | 'none';
}

export class EtcdMember {
  readonly name: string;
  readonly address: string;
  /** Client URL, `https://127.1.2.3:2379`. */
  readonly endpoint: string;
  readonly peerUrl: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly tls: MemberTls | undefined;
  /** Speaks to this member with the client certificate, and as root where authentication is on. */
  readonly gateway: Gateway;
  readonly #binaries: EtcdBinaries;
  readonly #flags: readonly string[];
  readonly #launcher: readonly string[];
  #start: readonly string[] = [];
  #process: ChildProcess | undefined;
  #root: User | undefined;

  constructor(settings: MemberSettings) {
    const scheme = settings.tls === undefined ? 'http' : 'https';
    this.name = settings.name;
    this.address = settings.address;
    this.endpoint = `${scheme}://${settings.address}:${CLIENT_PORT}`;
    this.peerUrl = `${scheme}://${settings.peerAddress ?? settings.address}:${PEER_PORT}`;
    this.dataDir = join(settings.directory, `${settings.name}.etcd`);
    this.logFile = join(settings.directory, `${settings.name}.log`);
    this.tls = settings.tls;
    this.gateway = new Gateway(this.endpoint, gatewayOptions(settings.tls));
    this.#binaries = settings.binaries;
    this.#flags = settings.flags;
    this.#launcher = settings.launcher ?? [];
  }

  /** The server's process id. Throws if it does not run. */
  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error(`etcd ${this.name} does not run`);
    return pid;
  }

  /** The end of the server's log. */
  get logTail(): string {
    return readFileSync(this.logFile, 'utf8').split('\n').slice(-LOG_TAIL_LINES).join('\n');
  }

  /**
   * Starts the process and returns at once.
   * @param initialCluster the voting members, and this one if it joins as a learner
   */
  start(initialCluster: readonly EtcdMember[], state: 'new' | 'existing'): void {
    const cluster = initialCluster.map((member) => `${member.name}=${member.peerUrl}`).join(',');
    this.#start = [`--initial-cluster=${cluster}`, `--initial-cluster-state=${state}`];
    this.#spawn();
  }

  /** Waits until the member answers as healthy. Throws with the end of its log if it does not. */
  async waitUntilHealthy(): Promise<void> {
    await this.waitUntil('healthy', () => this.gateway.isHealthy());
  }

  /**
   * Waits until a new voting member has written its storage version, which every snapshot carries
   * since 3.6. Until then it guesses 3.5.0, or says nothing.
   */
  async waitUntilVersioned(): Promise<void> {
    const { version } = this.#binaries;
    if (byVersion(version, '3.6.0') < 0) return;
    const storageVersion = version.replace(/\d+$/, '0');
    await this.waitUntil(`at storage version ${storageVersion}`, async () => {
      return (await this.gateway.status()).storageVersion === storageVersion;
    });
  }

  /** Waits for a condition of this member, for at most 30 seconds. */
  async waitUntil(what: string, condition: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + HEALTH_TIMEOUT_MS;
    while (!(await condition())) {
      if (this.#process === undefined) throw this.#failure('ended', what);
      if (performance.now() > deadline) throw this.#failure('ran 30 s', what);
      await sleep(HEALTH_INTERVAL_MS);
    }
  }

  /** Whether the gateway and etcdctl log in. */
  get isLoggedIn(): boolean {
    return this.#root !== undefined;
  }

  /** From now on, the gateway and etcdctl log in as this user. */
  async logIn(root: User): Promise<void> {
    this.#root = root;
    await this.gateway.authenticate(root.name, root.password);
  }

  /** Sends a signal to the server: SIGTERM, SIGCONT, and SIGSTOP, which has worked on return. */
  signal(signal: NodeJS.Signals): void {
    signalServer(this.pid, signal);
  }

  /** Kills the server and starts it again on its data, with the same flags. */
  async restart(): Promise<void> {
    await this.kill();
    this.gateway.logOut();
    this.#spawn();
    await this.waitUntilHealthy();
    if (this.#root !== undefined) await this.logIn(this.#root);
  }

  /** Kills the server if it runs; its files stay. Ends a stopped one as well. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    this.gateway.close();
  }

  /** Waits until the server has ended by itself, as after `signal('SIGTERM')`. */
  async ended(): Promise<void> {
    if (this.#process !== undefined) await once(this.#process, 'exit');
  }

  /** Runs this release's etcdctl against this member, with its certificates and user. */
  etcdctl(args: readonly string[], options: ToolOptions = {}): Promise<CommandResult> {
    const { user = this.#root, ...rest } = options;
    const login =
      user === undefined || user === 'none' ? [] : [`--user=${user.name}:${user.password}`];
    const flags = [`--endpoints=${this.endpoint}`, ...tlsFlags(this.tls), ...login];
    return run(this.#binaries.etcdctl, [...flags, ...args], rest);
  }

  /** Runs this release's etcdutl; in 3.4, where there is none, the etcdctl that did its work. */
  etcdutl(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return run(this.#binaries.etcdutl ?? this.#binaries.etcdctl, args, options);
  }

  #spawn(): void {
    const log = openSync(this.logFile, 'a');
    const args = [...this.#arguments(), ...this.#start, ...this.#flags];
    const [file, ...rest] = [...this.#launcher, this.#binaries.etcd, ...args];
    const child = spawnServer(file!, rest, cleanEnvironment(), log);
    closeSync(log);
    this.#process = child;
    child.on('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
  }

  #arguments(): string[] {
    return [
      `--name=${this.name}`,
      `--data-dir=${this.dataDir}`,
      `--listen-client-urls=${this.endpoint}`,
      `--advertise-client-urls=${this.endpoint}`,
      `--listen-peer-urls=${this.peerUrl}`,
      `--initial-advertise-peer-urls=${this.peerUrl}`,
      // As OpenShift sets it, and enough for the benchmark's database.
      '--quota-backend-bytes=8589934592',
      // A tenth of the usual: elections take less than a second, and a busy machine does not lose leaders.
      '--heartbeat-interval=50',
      '--election-timeout=500',
      // Lets a learner join at once; else etcd wants to have seen every peer for five seconds.
      '--strict-reconfig-check=false',
      '--bcrypt-cost=4',
      '--logger=zap',
      ...(this.#binaries.version.startsWith('3.4.') ? [] : ['--unsafe-no-fsync']),
      ...serverTlsFlags(this.tls),
    ];
  }

  #failure(how: string, what: string): Error {
    return new Error(`etcd ${this.name} ${how} and was not ${what}; its log:\n${this.logTail}`);
  }
}

function run(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  return runCommand(program, args, {
    timeoutMs: COMMAND_TIMEOUT_MS,
    ...options,
    env: { ...cleanEnvironment(), ...options.env },
  });
}

function serverTlsFlags(tls: MemberTls | undefined): string[] {
  if (tls === undefined) return [];
  // A CA for clients is itself a demand for client certificates.
  const mutual = tls.mode === 'mutual' ? ['--client-cert-auth', `--trusted-ca-file=${tls.ca}`] : [];
  return [
    `--cert-file=${tls.serving.cert}`,
    `--key-file=${tls.serving.key}`,
    ...mutual,
    `--peer-cert-file=${tls.peer.cert}`,
    `--peer-key-file=${tls.peer.key}`,
    `--peer-trusted-ca-file=${tls.ca}`,
    '--peer-client-cert-auth=true',
  ];
}

function tlsFlags(tls: MemberTls | undefined): string[] {
  if (tls === undefined) return [];
  const pair =
    tls.mode === 'mutual' ? [`--cert=${tls.client.cert}`, `--key=${tls.client.key}`] : [];
  return [`--cacert=${tls.ca}`, ...pair];
}

function gatewayOptions(tls: MemberTls | undefined): { tls?: GatewayTls } {
  if (tls === undefined) return {};
  return { tls: tls.mode === 'mutual' ? { ca: tls.ca, ...tls.client } : { ca: tls.ca } };
}
