// The members of a new cluster, and the ids that etcd gives to them and to it.
// Source: etcd, server/etcdserver/api/membership/member.go (computeMemberID), cluster.go (genID).

import { createHash } from 'node:crypto';
import { goJson } from './go-json.ts';

export interface NewMember {
  readonly id: bigint;
  readonly name: string;
  /** Sorted. */
  readonly peerUrls: readonly string[];
}

export interface NewCluster {
  readonly id: bigint;
  /** In the order of their ids. */
  readonly members: readonly NewMember[];
}

/**
 * A cluster that nobody has started yet. The same members and token always give the same ids.
 * @param peerUrls sorted, of each member by its name; no two members share one
 * @param token sets apart clusters whose members have the same URLs
 */
export function newCluster(
  peerUrls: ReadonlyMap<string, readonly string[]>,
  token: string,
): NewCluster {
  const members = [...peerUrls]
    .map(([name, urls]) => ({ id: hashOf([...urls, token]), name, peerUrls: urls }))
    .sort((left, right) => (left.id < right.id ? -1 : 1));
  const ids = members.map(({ id }) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(id);
    return bytes;
  });
  return { id: hashOf(ids), members };
}

/** The member as etcd keeps it before it has started, when it has no client URLs. */
export function memberJson({ id, name, peerUrls }: NewMember): Buffer {
  return Buffer.from(`{"id":${id},"peerURLs":${goJson(peerUrls)},"name":${goJson(name)}}`);
}

function hashOf(parts: readonly (string | Uint8Array)[]): bigint {
  const hash = createHash('sha1');
  for (const part of parts) hash.update(part);
  return hash.digest().readBigUInt64BE();
}
