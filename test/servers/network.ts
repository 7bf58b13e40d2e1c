// Machines with two networks each, one for clients and one for peers, made of network namespaces: pulling a
// machine's plug on the peers' network cuts it off from the other members, while clients still reach it.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { findOnPath, isAlive } from './processes.ts';

const PREFIX = 'ekt';

/** A machine: where it is reached, and how a program is started on it. */
export interface NetworkHost {
  readonly clientAddress: string;
  readonly peerAddress: string;
  /** What stands before the command line of a program. */
  readonly launcher: readonly string[];
}

let made = 0;

export class TestNetwork {
  readonly hosts: readonly NetworkHost[];
  readonly #name: string;

  /** Why there can be none here; undefined where there can. */
  static missing(): string | undefined {
    if (findOnPath('ip') === undefined) return 'there is no ip (iproute2)';
    const name = `${PREFIX}${process.pid}t`;
    const { status } = spawnSync('ip', ['netns', 'add', name]);
    if (status !== 0) return 'this process may not make a network namespace';
    spawnSync('ip', ['netns', 'del', name]);
    return undefined;
  }

  /** Makes a number of machines; they go with `remove`, with the process, or with the next one. */
  constructor(size: number) {
    removeLeftovers();
    made += 1;
    // Names of links have 15 characters at most.
    this.#name = `${PREFIX}${process.pid}${String.fromCharCode(96 + made)}`;
    process.once('exit', () => this.remove());
    const networks = { c: subnet(), p: subnet() };
    for (const [kind, prefix] of Object.entries(networks)) {
      ip('link', 'add', this.#bridge(kind), 'type', 'bridge');
      ip('link', 'set', this.#bridge(kind), 'up');
      // From here clients reach the machines; what the peers say to one another is theirs.
      if (kind === 'c') ip('addr', 'add', `${prefix}.1/24`, 'dev', this.#bridge(kind));
    }
    this.hosts = Array.from({ length: size }, (_, index) => this.#addHost(index, networks));
  }

  /** Pulls a machine's plug on the peers' network: nothing is refused, nothing arrives. */
  cut(index: number): void {
    ip('link', 'set', this.#link('p', index), 'down');
  }

  heal(index: number): void {
    ip('link', 'set', this.#link('p', index), 'up');
  }

  remove(): void {
    removeAll(this.#name);
  }

  #addHost(index: number, networks: Readonly<Record<string, string>>): NetworkHost {
    const namespace = `${this.#name}${index}`;
    ip('netns', 'add', namespace);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    for (const [kind, prefix] of Object.entries(networks)) {
      const link = this.#link(kind, index);
      ip('link', 'add', link, 'type', 'veth', 'peer', 'name', kind, 'netns', namespace);
      ip('link', 'set', link, 'master', this.#bridge(kind), 'up');
      ip('-n', namespace, 'addr', 'add', `${prefix}.${index + 10}/24`, 'dev', kind);
      ip('-n', namespace, 'link', 'set', kind, 'up');
    }
    return {
      clientAddress: `${networks['c']!}.${index + 10}`,
      peerAddress: `${networks['p']!}.${index + 10}`,
      launcher: ['ip', 'netns', 'exec', namespace],
    };
  }

  #bridge(kind: string): string {
    return `${this.#name}${kind}`;
  }

  #link(kind: string, index: number): string {
    return `${this.#name}${kind}${index}`;
  }
}

/** Three bytes of an address that nobody else has, most probably. */
function subnet(): string {
  return `10.${randomInt(100, 250)}.${randomInt(1, 250)}`;
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
}

/** Removes everything whose name begins with this; the links of a namespace go with it. */
function removeAll(name: string): void {
  for (const namespace of names(['netns', 'list'], /^(\S+)/gm)) {
    if (namespace.startsWith(name)) spawnSync('ip', ['netns', 'del', namespace]);
  }
  for (const link of names(['-o', 'link'], /^\d+: ([^:@]+)/gm)) {
    if (link.startsWith(name)) spawnSync('ip', ['link', 'del', link]);
  }
}

/** Of processes that were killed before they could do it. */
function removeLeftovers(): void {
  const all = [
    ...names(['netns', 'list'], /^(\S+)/gm),
    ...names(['-o', 'link'], /^\d+: ([^:@]+)/gm),
  ];
  for (const name of all) {
    const pid = new RegExp(`^${PREFIX}(\\d+)`).exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    // The letter behind the number: 12 is not the beginning of 123.
    removeAll(name.slice(0, PREFIX.length + pid.length + 1));
  }
}

function names(args: readonly string[], pattern: RegExp): string[] {
  const { stdout } = spawnSync('ip', args, { encoding: 'utf8' });
  return [...stdout.matchAll(pattern)].map((match) => match[1]!);
}
