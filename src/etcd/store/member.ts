// The entries of buckets `members` and `members_removed`. A key is the member's id, in hex without leading
// zeros; a value is the member as JSON, or of a removed one a word that nobody reads.
// Source: etcd, server/storage/schema/membership.go, server/etcdserver/api/membership/member.go.

import { isId, parseObject, textList } from './exact-json.ts';

export interface Member {
  readonly id: bigint;
  /** Empty until the member has started for the first time. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  /** None until the member has started for the first time, and after a restore. */
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/** @returns the id that a key of the two buckets is, or undefined */
export function parseMemberKey(key: Uint8Array): bigint | undefined {
  const text = Buffer.from(key).toString('latin1');
  return /^[0-9a-f]{1,16}$/i.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** @returns the member, or what is wrong, as a sentence without a subject */
export function parseMember(value: Uint8Array): Member | string {
  const json = parseObject(value);
  if (json === undefined) return 'is no JSON object';
  const { id, name = '', isLearner = false } = json;
  const peerUrls = textList(json.peerURLs);
  const clientUrls = textList(json.clientURLs);
  if (!isId(id)) return 'has no id that is a number of 64 bits';
  if (typeof name !== 'string') return 'has a name that is no text';
  if (typeof isLearner !== 'boolean') return 'is neither a learner nor none';
  if (peerUrls === undefined || clientUrls === undefined) return 'has URLs that are no texts';
  return { id, name, peerUrls, clientUrls, isLearner };
}
