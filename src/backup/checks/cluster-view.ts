// The cluster as the host's own member and each of the others describe it, at about one moment.

import { EtcdkeepError } from '../../base/errors.ts';
import { type ClientOptions, EtcdClient } from '../../etcd/client/client.ts';
import { parseEndpoint } from '../../etcd/client/endpoint.ts';
import type { AlarmMember, Member, StatusResponse } from '../../etcd/client/gen/rpc_pb.js';

/** The longest wait for another member, which the backup does not need. */
const OTHER_MEMBER_TIMEOUT_MS = 3000;

/** A member that answered. */
export interface MemberView {
  readonly name: string;
  readonly client: EtcdClient;
  readonly status: StatusResponse;
}

/** A member that did not, and why. */
export interface SilentMember {
  readonly name: string;
  readonly reason: EtcdkeepError;
}

export interface ClusterView extends AsyncDisposable {
  /** The host's own member. */
  readonly own: MemberView;
  readonly others: readonly MemberView[];
  readonly silent: readonly SilentMember[];
  readonly members: readonly Member[];
  readonly alarms: readonly AlarmMember[] | EtcdkeepError;
}

/**
 * Asks every member for its status. Members that don't answer are part of the answer.
 * @param client of the host's own member, which stays open
 * @param options how it was dialled: the others are dialled alike
 * @throws EtcdkeepError if the own member does not answer
 */
export async function viewCluster(
  client: EtcdClient,
  options: ClientOptions,
): Promise<ClusterView> {
  const status = await client.status();
  // A learner lists nobody.
  const listed = status.isLearner ? [] : await client.memberList(false);
  // etcd lists them in any order.
  const members = listed.toSorted((left, right) => left.name.localeCompare(right.name));
  const id = status.header?.memberId ?? 0n;
  const own = { name: nameOf(members.find((member) => member.ID === id)), client, status };
  const alarms = await client.alarmList().catch(asError);
  const asked = await Promise.all(
    members.filter((member) => member.ID !== id).map((member) => askOther(member, options)),
  );
  const others = asked.filter((answer): answer is MemberView => 'client' in answer);
  const silent = asked.filter((answer): answer is SilentMember => 'reason' in answer);
  return {
    own,
    others,
    silent,
    members,
    alarms,
    [Symbol.asyncDispose]: () => {
      for (const other of others) other.client.close();
      return Promise.resolve();
    },
  };
}

async function askOther(
  member: Member,
  options: ClientOptions,
): Promise<MemberView | SilentMember> {
  const name = nameOf(member);
  const url = member.clientURLs[0];
  let client: EtcdClient | undefined;
  try {
    if (url === undefined) throw new EtcdkeepError('member-unavailable', 'it has never started');
    client = await EtcdClient.connect({
      ...options,
      endpoint: parseEndpoint(url, false),
      dialTimeoutMs: OTHER_MEMBER_TIMEOUT_MS,
      commandTimeoutMs: OTHER_MEMBER_TIMEOUT_MS,
    });
    return { name, client, status: await client.status() };
  } catch (reason) {
    client?.close();
    options.signal.throwIfAborted();
    return { name, reason: asError(reason) };
  }
}

function nameOf(member: Member | undefined): string {
  if (member === undefined) return '';
  return member.name === '' ? member.ID.toString(16) : member.name;
}

function asError(reason: unknown): EtcdkeepError {
  if (reason instanceof EtcdkeepError) return reason;
  throw reason;
}
