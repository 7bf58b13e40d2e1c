// The members as etcd's old store has them: a tree of nodes as JSON, in the .snap files. 3.4 and 3.5 start with these.
// Source: etcd, server/etcdserver/api/membership/storev2.go (3.5: store.go), server/etcdserver/api/v2store/node.go.

import { parseObject, textList } from '../store/exact-json.ts';
import type { Member } from '../store/member.ts';

/** Some 10 kB; what an application has put into the old store comes on top. */
const JSON_SIZE_MAX = 64 * 1024 * 1024;

type Node = Readonly<Record<string, unknown>>;

/** @returns the members, or what is wrong, as a sentence without a subject */
export function parseV2Members(json: Uint8Array): readonly Member[] | string {
  if (json.length > JSON_SIZE_MAX) return `has ${json.length} bytes`;
  let store: unknown;
  try {
    store = JSON.parse(Buffer.from(json).toString());
  } catch {
    return 'is no JSON';
  }
  const nodes = ['0', 'members'].reduce(childOf, isNode(store) ? store['Root'] : undefined);
  if (!isNode(nodes) || !isNode(nodes['Children'])) return [];
  const members: Member[] = [];
  for (const [id, node] of Object.entries(nodes['Children'])) {
    if (!/^[0-9a-f]{1,16}$/.test(id)) return 'has a member whose id is none';
    const raft = attributesOf(node, 'raftAttributes');
    const { name = '', clientURLs } = attributesOf(node, 'attributes') ?? {};
    const peerUrls = textList(raft?.['peerURLs']);
    const clientUrls = textList(clientURLs);
    if (raft === undefined || peerUrls === undefined || clientUrls === undefined) {
      return `has a member ${id} without its URLs`;
    }
    members.push({
      id: BigInt(`0x${id}`),
      name: typeof name === 'string' ? name : '',
      peerUrls,
      clientUrls,
      isLearner: raft['isLearner'] === true,
    });
  }
  return members;
}

function childOf(node: unknown, name: string): unknown {
  const children = isNode(node) ? node['Children'] : undefined;
  return isNode(children) && Object.hasOwn(children, name) ? children[name] : undefined;
}

/** A node whose value is JSON again. */
function attributesOf(member: unknown, name: string) {
  const node = childOf(member, name);
  const value = isNode(node) ? node['Value'] : undefined;
  return typeof value === 'string' ? parseObject(Buffer.from(value)) : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
