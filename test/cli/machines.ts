// Three machines with a member of a cluster on each, whose plugs can be pulled, and the host that the first
// one is. Who leads is never left to chance.
import { afterAll, beforeAll } from 'vitest';
import { createOpenshiftHost, type OpenshiftHost } from '../fixtures/openshift-host.ts';
import { type EtcdCluster, startEtcd } from '../servers/etcd.ts';
import { TestNetwork } from '../servers/network.ts';
import type { EtcdVersion } from '../servers/versions.ts';

/** A member as it says itself; ids and leader as decimals, '0' for no leader. */
export interface MemberState {
  readonly id: string;
  readonly leader: string;
  readonly revision: string;
  /** The raft applied index. */
  readonly applied: number;
}

export class ThreeMachines {
  readonly network: TestNetwork;
  readonly etcd: EtcdCluster;
  readonly host: OpenshiftHost;

  private constructor(network: TestNetwork, etcd: EtcdCluster, host: OpenshiftHost) {
    this.network = network;
    this.etcd = etcd;
    this.host = host;
  }

  static async start(version: EtcdVersion): Promise<ThreeMachines> {
    const network = await TestNetwork.create(3);
    try {
      const etcd = await startEtcd({ version, size: 3, tls: 'mutual', network });
      return new ThreeMachines(network, etcd, await createOpenshiftHost(etcd));
    } catch (error) {
      network.remove();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.host.remove();
    await this.etcd.stop();
    this.network.remove();
  }

  async stateOf(index: number): Promise<MemberState> {
    const status = await this.etcd.members[index]!.gateway.status();
    const header = status['header'] as Record<string, string>;
    return {
      id: header['member_id']!,
      leader: (status['leader'] as string | undefined) ?? '0',
      revision: header['revision']!,
      applied: Number(status['raftAppliedIndex']),
    };
  }

  /** Waits until these members know a leader, and have applied the same. */
  async level(...indices: number[]): Promise<void> {
    await this.etcd.members[indices[0]!]!.waitUntil('level with others', async () => {
      const states = await Promise.all(indices.map((index) => this.stateOf(index)));
      return states.every(
        ({ leader, applied }) => leader !== '0' && applied === states[0]!.applied,
      );
    });
  }

  /** Makes a member the leader of all three. */
  async lead(index: number): Promise<void> {
    const { id, leader } = await this.stateOf(index);
    if (id === leader) return;
    const args = ['move-leader', BigInt(id).toString(16)];
    const { code, stderr } = await (await this.etcd.leader()).etcdctl(args);
    if (code !== 0) throw new Error(`the leader cannot be moved: ${stderr}`);
  }

  /** Puts so many keys through a member, each an entry of raft's log. */
  async write(index: number, prefix: string, count: number): Promise<void> {
    const { gateway } = this.etcd.members[index]!;
    const put = (_: unknown, at: number): Promise<bigint> => gateway.put(`${prefix}/${at}`, 'new');
    await Promise.all(Array.from({ length: count }, put));
  }

  /**
   * Pulls a member's plug on the peers' network, and does something once it knows no leader and the
   * others have one. Then waits until all three are level again.
   */
  async whileCutOff(index: number, action: () => Promise<void>): Promise<void> {
    const others = [0, 1, 2].filter((other) => other !== index);
    this.network.cut(index);
    try {
      await this.etcd.members[index]!.waitUntil(
        'without a leader',
        async () => (await this.stateOf(index)).leader === '0',
      );
      await Promise.all(others.map((other) => this.etcd.members[other]!.waitUntilHealthy()));
      await action();
    } finally {
      this.network.heal(index);
    }
    await this.level(0, 1, 2);
  }

  /** The same on the clients' network; whoever is on the machine still reaches its member. */
  async whileOffline(index: number, action: () => Promise<void>): Promise<void> {
    this.network.cut(index, 'client');
    try {
      await action();
    } finally {
      this.network.heal(index, 'client');
      // The connections of before lead nowhere.
      this.etcd.members[index]!.gateway.close();
    }
  }
}

/** Starts them for all tests of the describe block it is called in. */
export function machinesForSuite(version: EtcdVersion): () => ThreeMachines {
  let machines: ThreeMachines | undefined;
  beforeAll(async () => {
    machines = await ThreeMachines.start(version);
  });
  afterAll(() => machines?.stop());
  return () => machines!;
}
