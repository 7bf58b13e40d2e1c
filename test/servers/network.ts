// Machines with two networks each, one for clients and one for peers: pulling a machine's plug on the peers'
// network cuts it off from the other members, while clients still reach it. Each machine, and the switch
// between them, is a network namespace of one process, and goes with that process: nothing has to be
// removed, however a test ends.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { findOnPath } from './processes.ts';

/** A machine: where it is reached, and how a program is started on it. */
export interface NetworkHost {
  readonly clientAddress: string;
  readonly peerAddress: string;
  /** What stands before the command line of a program. */
  readonly launcher: readonly string[];
}

const KINDS = ['client', 'peer'] as const;
type Kind = (typeof KINDS)[number];

/** The first three bytes of the addresses on each network. */
type Prefixes = Readonly<Record<Kind, string>>;

/** Nobody but the peers ever sees theirs, so every network may have the same. */
const PEER_PREFIX = '10.0.0';

/** The last byte of the first machine's addresses. The clients, which are here, have 1. */
const FIRST_HOST = 10;

// A connection over a plug that was pulled is given up after a second. With Linux' 15 attempts, etcd
// would find its peers again only as long after the plug is back as it was pulled.
const HOLD = `
echo 2 2>/dev/null >/proc/sys/net/ipv4/tcp_retries2
echo made && exec sleep infinity
`;

let made = 0;

export class TestNetwork {
  readonly hosts: readonly NetworkHost[];
  readonly #switch: Namespace;
  readonly #machines: readonly Namespace[];

  private constructor(prefixes: Prefixes, hub: Namespace, machines: readonly Namespace[]) {
    this.#switch = hub;
    this.#machines = machines;
    this.hosts = machines.map(({ launcher }, index) => ({
      clientAddress: `${prefixes.client}.${FIRST_HOST + index}`,
      peerAddress: `${prefixes.peer}.${FIRST_HOST + index}`,
      launcher,
    }));
  }

  /** Why there can be none here; undefined where there can. */
  static missing(): string | undefined {
    const programs = ['ip', 'unshare', 'nsenter', 'setpriv'];
    const lacking = programs.find((name) => findOnPath(name) === undefined);
    if (lacking !== undefined) return `there is no ${lacking}`;
    const script =
      'ip link add name one type bridge && ip link add name two type veth peer name three';
    const { status } = spawnSync('unshare', ['-n', 'sh', '-c', script]);
    return status === 0 ? undefined : 'this process may not make networks';
  }

  /** Makes a number of machines. They go with `remove`, or with this process. */
  static async create(size: number): Promise<TestNetwork> {
    const hub = await Namespace.create();
    const machines = await Promise.all(Array.from({ length: size }, () => Namespace.create()));
    const prefixes = { client: freePrefix(), peer: PEER_PREFIX };
    const network = new TestNetwork(prefixes, hub, machines);
    try {
      hub.ip(
        KINDS.flatMap((kind) => [`link add name ${kind} type bridge`, `link set dev ${kind} up`]),
      );
      for (const [index, machine] of machines.entries()) plugIn(machine, hub, index, prefixes);
      joinClients(hub, prefixes.client);
    } catch (error) {
      network.remove();
      throw error;
    }
    return network;
  }

  /** Pulls a machine's plug on a network: nothing is refused, nothing arrives. */
  cut(index: number, kind: Kind = 'peer'): void {
    this.#switch.ip([`link set dev ${kind}${index} down`]);
  }

  heal(index: number, kind: Kind = 'peer'): void {
    this.#switch.ip([`link set dev ${kind}${index} up`]);
  }

  remove(): void {
    for (const namespace of [this.#switch, ...this.#machines]) namespace.end();
  }
}

/** A network namespace without a name, of a process that does nothing. */
class Namespace {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  static async create(): Promise<Namespace> {
    const holder = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '-n', 'sh', '-c', HOLD], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    return new Namespace(holder);
  }

  get pid(): number {
    return this.#holder.pid!;
  }

  get launcher(): readonly string[] {
    return ['nsenter', '-t', `${this.pid}`, '-n'];
  }

  /** Runs lines of ip(8) in it. */
  ip(lines: readonly string[]): void {
    runIp(lines, this.launcher);
  }

  end(): void {
    this.#holder.kill('SIGKILL');
  }
}

function plugIn(machine: Namespace, hub: Namespace, index: number, prefixes: Prefixes): void {
  hub.ip(
    KINDS.flatMap((kind) => [
      `link add name ${kind}${index} type veth peer name ${kind} netns ${machine.pid}`,
      `link set dev ${kind}${index} master ${kind} up`,
    ]),
  );
  machine.ip([
    'link set dev lo up',
    ...KINDS.flatMap((kind) => [
      `addr add ${prefixes[kind]}.${FIRST_HOST + index}/24 dev ${kind}`,
      `link set dev ${kind} up`,
    ]),
  ]);
}

/** From here clients reach the machines; what the peers say to one another is theirs. */
function joinClients(hub: Namespace, prefix: string): void {
  made += 1;
  const link = `ek${process.pid}n${made}`;
  runIp([
    `link add name ${link} type veth peer name here netns ${hub.pid}`,
    `addr add ${prefix}.1/24 dev ${link}`,
    `link set dev ${link} up`,
  ]);
  hub.ip(['link set dev here master client up']);
}

/** Of RFC 2544's addresses for tests, so that no real network is hidden, and not another test's. */
function freePrefix(): string {
  const { stdout } = spawnSync('ip', ['-4', '-o', 'addr'], { encoding: 'utf8' });
  for (;;) {
    const prefix = `198.${randomInt(18, 20)}.${randomInt(256)}`;
    if (!stdout.includes(` ${prefix}.`)) return prefix;
  }
}

function runIp(lines: readonly string[], launcher: readonly string[] = []): void {
  const [file, ...args] = [...launcher, 'ip', '-batch', '-'];
  const input = lines.join('\n');
  const { status, stderr } = spawnSync(file, args, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip: ${stderr}${input}`);
}
