// The values of buckets `meta` and `cluster`: what etcd notes about the database itself, each under a name.
// Source: etcd, server/storage/schema (cindex.go, confstate.go, version.go, membership.go).

import { idList, parseObject } from './exact-json.ts';
import { mainRevision, REVISION_SIZE, revisionDefect } from './revision-key.ts';

/** Raft's own list of members; since 3.5. */
export interface ConfState {
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
}

/** What was asked of the cluster by `etcdctl downgrade`; since 3.5. */
export interface Downgrade {
  readonly isEnabled: boolean;
  /** Empty where none is under way. */
  readonly targetVersion: string;
}

const VERSION_SIZE_MAX = 64;
const VERSION = /^\d+\.\d+\.\d+([-+][\w.+-]+)?$/;

/** @returns the number, or what is wrong, as a sentence without a subject */
export function parseNumber(value: Uint8Array): bigint | string {
  if (value.length !== 8) return `is ${value.length} bytes long, not 8`;
  return new DataView(value.buffer, value.byteOffset).getBigUint64(0);
}

/** @returns the main revision, or what is wrong, as a sentence without a subject */
export function parseRevision(value: Uint8Array): bigint | string {
  const defect = revisionDefect(value, 0, value.length);
  if (defect !== undefined) return defect;
  if (value.length !== REVISION_SIZE) return `is ${value.length} bytes long, not ${REVISION_SIZE}`;
  return mainRevision(new DataView(value.buffer, value.byteOffset), 0);
}

/** @returns undefined if it is no version */
export function parseVersion(value: Uint8Array): string | undefined {
  if (value.length > VERSION_SIZE_MAX) return undefined;
  const text = Buffer.from(value).toString('latin1');
  return VERSION.test(text) ? text : undefined;
}

/** Order of two versions by major and minor, which is all that a schema has: negative, 0 or positive. */
export function compareMinors(left: string, right: string): number {
  const [leftMajor = 0, leftMinor = 0] = left.split('.').map(Number);
  const [rightMajor = 0, rightMinor = 0] = right.split('.').map(Number);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}

/** @returns raft's members, or what is wrong, as a sentence without a subject */
export function parseConfState(value: Uint8Array): ConfState | string {
  const json = parseObject(value);
  if (json === undefined) return 'is no JSON object';
  const voters = idList(json.voters);
  const learners = idList(json.learners);
  if (voters === undefined || learners === undefined) return 'has ids that are no numbers';
  return { voters, learners };
}

/** @returns what is under way, or what is wrong, as a sentence without a subject */
export function parseDowngrade(value: Uint8Array): Downgrade | string {
  const json = parseObject(value);
  if (json === undefined) return 'is no JSON object';
  const { enabled = false, 'target-version': target = '' } = json;
  if (typeof enabled !== 'boolean' || typeof target !== 'string') {
    return 'does not say whether one is under way';
  }
  if (enabled && !VERSION.test(target)) return 'is to what is no version';
  return { isEnabled: enabled, targetVersion: target };
}
