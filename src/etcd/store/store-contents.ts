// What etcd keeps besides the records of keys: members, leases, authentication, alarms, and its notes about the
// database. One visitor of a walk collects it, in memory that does not grow with the database: of what a cluster
// has few it keeps so many at most, and of leases their ids.
// Source: etcd, server/storage/schema/bucket.go.

import type { Meta } from '../../bbolt/meta.ts';
import type { LeafPage } from '../../bbolt/page.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import type { TreeVisitor } from '../../bbolt/tree-visitor.ts';
import { walkTree } from '../../bbolt/walk.ts';
import { type Alarm, parseAlarm } from './alarm.ts';
import { type AuthRole, type AuthUser, parseRole, parseUser } from './auth.ts';
import {
  type ContentsFound,
  type ContentsRule,
  contentsError,
  contentsWarning,
  type Place,
} from './contents-finding.ts';
import { leaseId, memberId, quoted } from './foreign-text.ts';
import { LeaseReader, TTL_MAX } from './lease.ts';
import { LeaseIds } from './lease-ids.ts';
import { type Member, parseMember, parseMemberKey } from './member.ts';
import { StoreNotes } from './store-notes.ts';

/** Bytes of members, removed members, alarms, users and roles that are taken, of each as many. */
const TAKEN_SIZE_MAX = 32 * 1024 * 1024;
/** What an entry takes beside its own bytes. */
const ENTRY_SIZE = 64;

const LEASE_KEY_SIZE = 8;

type Located<T> = T & Place;
type Take = (key: Uint8Array, value: Uint8Array, place: Place) => void;

/**
 * Reads what etcd keeps besides records; bucket `key` is not looked at.
 * @param found told of each defect as it is met; what cannot be read is left out
 * @throws EtcdkeepError `database-damaged`, `file-failed`
 */
export async function readStoreContents(
  source: PageSource,
  meta: Meta,
  found: ContentsFound,
): Promise<StoreContents> {
  const contents = new StoreContents(found);
  await walkTree(source, meta, contents);
  return contents;
}

export class StoreContents implements TreeVisitor {
  readonly members: Located<Member>[] = [];
  /** Ids of members that were removed; etcd never takes one of them again. */
  readonly membersRemoved: Located<{ readonly id: bigint }>[] = [];
  readonly alarms: Located<Alarm>[] = [];
  readonly users: Located<AuthUser>[] = [];
  readonly roles: Located<AuthRole>[] = [];
  readonly leases = new LeaseIds();
  /** What is in buckets `meta`, `cluster` and `auth`, by its name there. */
  readonly notes: StoreNotes;
  readonly #found: ContentsFound;
  readonly #lease = new LeaseReader();
  #bucket = '';
  #takenSize = 0;
  #leasePlace: Place = { page: 0, offset: 0 };

  constructor(found: ContentsFound) {
    this.#found = found;
    this.notes = new StoreNotes(found);
  }

  /** Where bucket `lease` begins; page 0 if it was not reached. */
  get leasePlace(): Place {
    return this.#leasePlace;
  }

  enterBucket(name: Uint8Array, depth: number): boolean {
    if (depth === 1) {
      this.#bucket = Buffer.from(name).toString('latin1');
      this.#takenSize = 0;
    }
    return depth === 1 && (this.#bucket === 'lease' || this.#taker() !== undefined);
  }

  scannedLeaf(): void {
    throw new Error('no page was scanned');
  }

  leaf(leaf: LeafPage, page: number, depth: number, offset: number): void {
    if (depth !== 1) return;
    const place = { page, offset };
    if (this.#bucket === 'lease') {
      this.#takeLeases(leaf, place);
      return;
    }
    const take = this.#taker();
    if (take === undefined) return;
    for (let index = 0; index < leaf.count; index += 1) {
      if (this.#takenSize > TAKEN_SIZE_MAX) return;
      this.#takenSize += leaf.valueEnd(index) - leaf.keyStart(index) + ENTRY_SIZE;
      if (this.#takenSize > TAKEN_SIZE_MAX) {
        const message = `bucket ${this.#bucket} is larger than in any cluster: from ${quoted(leaf.key(index))} on it was not looked at`;
        this.#found(contentsWarning(this.#rule, message, place));
        return;
      }
      // A bucket where a key should be has no value that etcd could read.
      const value = leaf.isBucket(index) ? new Uint8Array(0) : leaf.value(index);
      take(leaf.key(index), value, place);
    }
  }

  #taker(): Take | undefined {
    switch (this.#bucket) {
      case 'members':
        return this.#takeMember;
      case 'members_removed':
        return this.#takeRemoved;
      case 'alarm':
        return this.#takeAlarm;
      case 'authUsers':
        return this.#takeUser;
      case 'authRoles':
        return this.#takeRole;
      case 'meta':
      case 'cluster':
      case 'auth':
        return this.#takeNote;
      default:
        return undefined;
    }
  }

  get #rule(): ContentsRule {
    if (this.#bucket.startsWith('members')) return 'member';
    if (this.#bucket === 'alarm') return 'alarm';
    return this.#bucket.startsWith('auth') ? 'auth' : 'notes';
  }

  readonly #takeMember: Take = (key, value, place) => {
    const id = this.#memberKey(key, place);
    if (id === undefined) return;
    const member = parseMember(value);
    if (typeof member === 'string') {
      this.#defect(`the entry of member ${memberId(id)} ${member}`, place);
      return;
    }
    if (member.id !== id) {
      const message = `the entry of member ${memberId(id)} says that it is ${memberId(member.id)}`;
      this.#defect(message, place);
    }
    this.members.push({ ...member, ...place });
  };

  readonly #takeRemoved: Take = (key, _, place) => {
    const id = this.#memberKey(key, place);
    if (id !== undefined) this.membersRemoved.push({ id, ...place });
  };

  #memberKey(key: Uint8Array, place: Place): bigint | undefined {
    const id = parseMemberKey(key);
    if (id === undefined) {
      this.#defect(`bucket ${this.#bucket} has the key ${quoted(key)}, which is no id`, place);
    }
    return id;
  }

  readonly #takeAlarm: Take = (key, _, place) => {
    const alarm = parseAlarm(key);
    if (typeof alarm === 'string') this.#defect(`a key of bucket alarm ${alarm}`, place);
    else this.alarms.push({ ...alarm, ...place });
  };

  readonly #takeUser: Take = (key, value, place) => {
    const user = parseUser(value);
    if (this.#isNamed('user', key, user, place)) this.users.push({ ...user, ...place });
  };

  readonly #takeRole: Take = (key, value, place) => {
    const role = parseRole(value);
    if (this.#isNamed('role', key, role, place)) this.roles.push({ ...role, ...place });
  };

  #isNamed<T extends AuthUser | AuthRole>(
    kind: string,
    key: Uint8Array,
    parsed: T | string,
    place: Place,
  ): parsed is T {
    const entry = `the entry of ${kind} ${quoted(key)}`;
    if (typeof parsed === 'string') {
      this.#defect(`${entry} ${parsed}`, place);
      return false;
    }
    if (parsed.name !== Buffer.from(key).toString()) {
      this.#defect(`${entry} says that it is ${quoted(parsed.name)}`, place);
    }
    return true;
  }

  readonly #takeNote: Take = (key, value, place) => {
    this.notes.take(`${this.#bucket}/${Buffer.from(key).toString('latin1')}`, value, place);
  };

  #takeLeases(leaf: LeafPage, place: Place): void {
    if (this.#leasePlace.page === 0) this.#leasePlace = place;
    const { bytes, view } = leaf;
    for (let index = 0; index < leaf.count; index += 1) {
      const start = leaf.keyStart(index);
      const end = leaf.keyEnd(index);
      if (end - start !== LEASE_KEY_SIZE || leaf.isBucket(index)) {
        const message = `a lease has a key of ${end - start} bytes, not ${LEASE_KEY_SIZE}`;
        this.#found(contentsError('lease', message, place));
        continue;
      }
      const id = view.getBigUint64(start);
      // Of a damaged lease it is known that there is one: its keys do not miss it.
      this.leases.add(id);
      const defect = this.#lease.read(bytes, end, leaf.valueEnd(index));
      if (defect === undefined) this.#checkLease(id, place);
      else
        this.#found(contentsError('lease', `the value of lease ${leaseId(id)} ${defect}`, place));
    }
  }

  #checkLease(id: bigint, place: Place): void {
    const { id: own, ttl, remainingTtl } = this.#lease;
    const name = `lease ${leaseId(id)}`;
    if (own !== id) {
      const message = `${name} says that it is lease ${leaseId(own)}`;
      this.#found(contentsError('lease', message, place));
    }
    if (ttl < 1n) {
      this.#found(contentsError('lease', `${name} has a time to live of ${ttl} s`, place));
    } else if (ttl > TTL_MAX || remainingTtl < 0n || remainingTtl > ttl) {
      const message = `${name} has ${remainingTtl} s left of ${ttl} s, which etcd would not have given`;
      this.#found(contentsWarning('lease', message, place));
    }
  }

  #defect(message: string, place: Place): void {
    this.#found(contentsError(this.#rule, message, place));
  }
}
