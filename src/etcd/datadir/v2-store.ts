// The v2 store of a new cluster as JSON: a small tree that holds the members and nothing else, which etcd 3.4 and 3.5 take
// them from. Byte for byte as the `snapshot restore` of 3.5 writes it.
// Source: etcd, server/etcdserver/api/v2store/store.go (Save), event_queue.go; server/etcdserver/api/membership/storev2.go.

import { goJson } from './go-json.ts';
import type { NewCluster, NewMember } from './new-member.ts';

/** Events that the store remembers; there are always as many places (store.go, newWatchHub). */
const EVENTS = 1000;

const NEVER = '0001-01-01T00:00:00Z';

const STATS_BEFORE = [
  ...['getsSuccess', 'getsFail', 'setsSuccess', 'setsFail', 'deleteSuccess', 'deleteFail'],
  ...['updateSuccess', 'updateFail'],
];
const STATS_AFTER = [
  ...['createFail', 'compareAndSwapSuccess', 'compareAndSwapFail', 'compareAndDeleteSuccess'],
  ...['compareAndDeleteFail', 'expireCount', 'watchers'],
];

/** The store, in which each member was made by the raft entry of its place among them. */
export function v2Store({ members }: NewCluster): Buffer {
  // Go writes a map in the order of its keys as texts.
  const children = members
    .map((member, index) => memberNode(member, index + 1))
    .sort()
    .join(',');
  const membersNode = directory('/0/members', 1, `{${children}}`);
  const cluster = directory('/0', 0, `{"members":${membersNode}}`);
  const root = directory('/', 0, `{"0":${cluster},"1":${directory('/1', 0, '{}')}}`);
  const count = members.length;
  const events = Array.from({ length: EVENTS }, (_, index) =>
    index < count ? createEvent(members[index]!, index + 1) : 'null',
  );
  const queue = `{"Events":[${events.join(',')}],"Size":${count},"Front":0,"Back":${count},"Capacity":${EVENTS}}`;
  const history = `{"Queue":${queue},"StartIndex":1,"LastIndex":${count}}`;
  const zeros = (names: readonly string[]): string => names.map((name) => `"${name}":0`).join(',');
  const stats = `{${zeros(STATS_BEFORE)},"createSuccess":${count},${zeros(STATS_AFTER)}}`;
  return Buffer.from(
    `{"Root":${root},"WatcherHub":{"EventHistory":${history}},"CurrentIndex":${count},` +
      `"Stats":${stats},"CurrentVersion":2}`,
  );
}

function memberNode(member: NewMember, index: number): string {
  const path = pathOf(member);
  const attributes = node(`${path}/raftAttributes`, index, attributesOf(member), 'null');
  const children = `{"raftAttributes":${attributes}}`;
  return `"${member.id.toString(16)}":${directory(path, index, children)}`;
}

function directory(path: string, index: number, children: string): string {
  return node(path, index, '""', children);
}

function node(path: string, index: number, value: string, children: string): string {
  return (
    `{"Path":"${path}","CreatedIndex":${index},"ModifiedIndex":${index},"ExpireTime":"${NEVER}",` +
    `"Value":${value},"Children":${children}}`
  );
}

function createEvent(member: NewMember, index: number): string {
  const key = `${pathOf(member)}/raftAttributes`;
  return (
    `{"action":"create","node":{"key":"${key}","value":${attributesOf(member)},` +
    `"modifiedIndex":${index},"createdIndex":${index}}}`
  );
}

function pathOf({ id }: NewMember): string {
  return `/0/members/${id.toString(16)}`;
}

/** JSON within JSON. */
function attributesOf({ peerUrls }: NewMember): string {
  return goJson(`{"peerURLs":${goJson(peerUrls)}}`);
}
