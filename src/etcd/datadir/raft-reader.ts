// Raft's messages, as a member keeps them in its log and in its .snap files. Until 3.6 gogo protobuf wrote them, with
// the fields that are 0; 3.7 leaves those out. Both are read.
// Source: raft, raftpb/raft.proto; etcd, server/storage/wal/walpb/record.proto, api/etcdserverpb (Metadata).

import { MessageReader } from '../store/message-reader.ts';

export type EntryType = 'normal' | 'conf-change' | 'conf-change-v2';

export interface Entry {
  readonly type: EntryType;
  readonly term: bigint;
  readonly index: bigint;
  /** A request, or a change of members; empty where a leader was elected. Shares memory with what it was read from. */
  readonly data: Uint8Array;
}

/** What a member may not forget. */
export interface HardState {
  readonly term: bigint;
  /** Whom it voted for in that term; 0 for nobody. */
  readonly vote: bigint;
  readonly commit: bigint;
}

/** Raft's own list of members. Those of a joint change that is under way are counted as voters, too. */
export interface RaftMembers {
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
}

/** Where a snapshot of the state stands in the log. */
export interface SnapshotPosition {
  readonly index: bigint;
  readonly term: bigint;
  /** Undefined where it was not written, as in the log before 3.5. */
  readonly members: RaftMembers | undefined;
}

/** A snapshot of the state, as a .snap file carries it. */
export interface RaftSnapshot extends SnapshotPosition {
  /** etcd's v2 store as JSON; empty where there is none. Shares memory with what it was read from. */
  readonly data: Uint8Array;
}

export type MemberChangeType = 'add-voter' | 'add-learner' | 'remove' | 'update' | 'unknown';

export interface MemberChange {
  readonly type: MemberChangeType;
  readonly id: bigint;
}

/** Whose log it is. */
export interface WalMetadata {
  readonly memberId: bigint;
  readonly clusterId: bigint;
}

const ENTRY_TYPES: readonly EntryType[] = ['normal', 'conf-change', 'conf-change-v2'];
const CHANGE_TYPES: readonly MemberChangeType[] = ['add-voter', 'remove', 'update', 'add-learner'];

/** Members of a cluster that anybody has are fewer than ten. */
const MEMBERS_MAX = 10_000;

const MALFORMED = 'is no protobuf message';
const NOTHING = new Uint8Array(0);

type Take = (reader: MessageReader) => void;

/** Goes through the fields. @returns whether the bytes are a message */
function readFields(bytes: Uint8Array, take: Take): boolean {
  const reader = new MessageReader().open(bytes);
  while (reader.next()) take(reader);
  return !reader.isMalformed;
}

const bytesOf = (bytes: Uint8Array, { start, end }: MessageReader): Uint8Array =>
  bytes.subarray(start, end);

/** @returns the entry, or what is wrong, as a sentence without a subject */
export function parseEntry(bytes: Uint8Array): Entry | string {
  let [type, term, index, data] = [0n, 0n, 0n, NOTHING as Uint8Array];
  const isMessage = readFields(bytes, (reader) => {
    if (reader.field === 1 && reader.isVarint) type = reader.varint;
    else if (reader.field === 2 && reader.isVarint) term = reader.varint;
    else if (reader.field === 3 && reader.isVarint) index = reader.varint;
    else if (reader.field === 4 && !reader.isVarint) data = bytesOf(bytes, reader);
  });
  if (!isMessage) return MALFORMED;
  const known = ENTRY_TYPES[Number(type)];
  return known === undefined ? `has the type ${type}` : { type: known, term, index, data };
}

/** @returns the state, or what is wrong, as a sentence without a subject */
export function parseHardState(bytes: Uint8Array): HardState | string {
  const numbers = [0n, 0n, 0n, 0n];
  const isMessage = readFields(bytes, ({ field, isVarint, varint }) => {
    if (isVarint && field < numbers.length) numbers[field] = varint;
  });
  const [, term = 0n, vote = 0n, commit = 0n] = numbers;
  return isMessage ? { term, vote, commit } : MALFORMED;
}

/** @returns the ids, or what is wrong, as a sentence without a subject */
export function parseWalMetadata(bytes: Uint8Array): WalMetadata | string {
  let [memberId, clusterId] = [0n, 0n];
  const isMessage = readFields(bytes, ({ field, isVarint, varint }) => {
    if (field === 1 && isVarint) memberId = varint;
    else if (field === 2 && isVarint) clusterId = varint;
  });
  return isMessage ? { memberId, clusterId } : MALFORMED;
}

/** @returns the members, or what is wrong, as a sentence without a subject */
export function parseRaftMembers(bytes: Uint8Array): RaftMembers | string {
  const voters = new Set<bigint>();
  const learners = new Set<bigint>();
  // Voters, learners, voters before a joint change, learners after it: a list of numbers, packed or not.
  const lists = [undefined, voters, learners, voters, learners];
  let defect: string | undefined;
  const isMessage = readFields(bytes, (reader) => {
    const list = lists[reader.field];
    if (list === undefined) return;
    if (reader.isVarint) list.add(reader.varint);
    else for (const id of packed(bytesOf(bytes, reader))) list.add(id);
    if (list.size > MEMBERS_MAX) defect = `has more than ${MEMBERS_MAX} members`;
  });
  if (!isMessage) return MALFORMED;
  return defect ?? { voters: [...voters], learners: [...learners] };
}

/** Numbers in a row, without field numbers; it ends where there is none. */
function* packed(bytes: Uint8Array): Generator<bigint> {
  for (let at = 0; at < bytes.length; ) {
    let [value, shift] = [0n, 0n];
    while (at < bytes.length && bytes[at]! >= 0x80) {
      value |= BigInt(bytes[at]! & 0x7f) << shift;
      [at, shift] = [at + 1, shift + 7n];
      if (shift > 63n) return;
    }
    if (at === bytes.length) return;
    yield BigInt.asUintN(64, value | (BigInt(bytes[at]!) << shift));
    at += 1;
  }
}

/** A snapshot record of the log. @returns what is wrong as a sentence without a subject, else where it stands */
export function parseWalSnapshot(bytes: Uint8Array): SnapshotPosition | string {
  return parsePosition(bytes, { index: 1, term: 2, members: 3 });
}

/** @returns the snapshot, or what is wrong, as a sentence without a subject */
export function parseRaftSnapshot(bytes: Uint8Array): RaftSnapshot | string {
  let [data, metadata] = [NOTHING as Uint8Array, NOTHING as Uint8Array];
  const isMessage = readFields(bytes, (reader) => {
    if (reader.field === 1 && !reader.isVarint) data = bytesOf(bytes, reader);
    else if (reader.field === 2 && !reader.isVarint) metadata = bytesOf(bytes, reader);
  });
  if (!isMessage) return MALFORMED;
  const position = parsePosition(metadata, { members: 1, index: 2, term: 3 });
  return typeof position === 'string' ? position : { ...position, data };
}

function parsePosition(
  bytes: Uint8Array,
  fields: { readonly index: number; readonly term: number; readonly members: number },
): SnapshotPosition | string {
  let [index, term] = [0n, 0n];
  let members: RaftMembers | string | undefined;
  const isMessage = readFields(bytes, (reader) => {
    if (reader.field === fields.index && reader.isVarint) index = reader.varint;
    else if (reader.field === fields.term && reader.isVarint) term = reader.varint;
    else if (reader.field === fields.members && !reader.isVarint) {
      members = parseRaftMembers(bytesOf(bytes, reader));
    }
  });
  if (!isMessage) return MALFORMED;
  if (typeof members === 'string') return `has a list of members that ${members}`;
  // 3.7 may write one that says nothing.
  const isSaid = members !== undefined && members.voters.length + members.learners.length > 0;
  return { index, term, members: isSaid ? members : undefined };
}

/**
 * The changes of members that an entry makes.
 * @returns none for an entry of another type; what is wrong, as a sentence without a subject
 */
export function parseMemberChanges({ type, data }: Entry): readonly MemberChange[] | string {
  if (type === 'normal') return [];
  if (type === 'conf-change') {
    const change = parseChange(data, { type: 2, id: 3 });
    return typeof change === 'string' ? change : [change];
  }
  const changes: (MemberChange | string)[] = [];
  const isMessage = readFields(data, (reader) => {
    if (reader.field !== 2 || reader.isVarint || changes.length > MEMBERS_MAX) return;
    changes.push(parseChange(bytesOf(data, reader), { type: 1, id: 2 }));
  });
  if (!isMessage) return MALFORMED;
  const defect = changes.find((change) => typeof change === 'string');
  return defect ?? (changes as MemberChange[]);
}

function parseChange(
  bytes: Uint8Array,
  fields: { readonly type: number; readonly id: number },
): MemberChange | string {
  let [type, id] = [0n, 0n];
  const isMessage = readFields(bytes, ({ field, isVarint, varint }) => {
    if (field === fields.type && isVarint) type = varint;
    else if (field === fields.id && isVarint) id = varint;
  });
  return isMessage ? { type: CHANGE_TYPES[Number(type)] ?? 'unknown', id } : MALFORMED;
}

/** The members after some changes (raft, confchange/confchange.go). */
export function changedMembers(
  { voters, learners }: RaftMembers,
  changes: readonly MemberChange[],
): RaftMembers {
  const after = { voters: new Set(voters), learners: new Set(learners) };
  for (const { type, id } of changes) {
    // What is updated is a member's URLs.
    if (type === 'update' || type === 'unknown') continue;
    after.voters.delete(id);
    after.learners.delete(id);
    if (type === 'add-voter') after.voters.add(id);
    else if (type === 'add-learner') after.learners.add(id);
  }
  return { voters: [...after.voters], learners: [...after.learners] };
}
