// What etcd notes about the database itself, in its buckets `meta` and `cluster`.
// Source: etcd, server/storage/schema.

import { databaseDamaged } from '../../bbolt/damage.ts';
import type { Meta } from '../../bbolt/meta.ts';
import type { LeafPage } from '../../bbolt/page.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import type { TreeVisitor } from '../../bbolt/tree-visitor.ts';
import { walkTree } from '../../bbolt/walk.ts';
import { parseNumber, parseRevision, parseVersion } from './notes.ts';

/** Each is undefined where etcd has not written it (yet). */
export interface StoreFacts {
  /** Index of the last raft entry that is in the database. */
  readonly consistentIndex: bigint | undefined;
  /** Raft term of that entry; since 3.5. */
  readonly term: bigint | undefined;
  /** Revision of the last compaction that was begun. */
  readonly scheduledCompactRevision: bigint | undefined;
  /** Revision of the last compaction that was finished. */
  readonly finishedCompactRevision: bigint | undefined;
  /** Version of the schema, such as `3.6.0`; since 3.6. */
  readonly storageVersion: string | undefined;
  /** Version that the whole cluster has agreed on, such as `3.5.0`. */
  readonly clusterVersion: string | undefined;
}

/**
 * Reads what etcd notes about the database; the other buckets are not looked at.
 * @throws EtcdkeepError `database-damaged`, `file-failed`
 */
export async function readStoreFacts(source: PageSource, meta: Meta): Promise<StoreFacts> {
  const notes = new Notes();
  await walkTree(source, meta, notes);
  return {
    consistentIndex: notes.number('meta/consistent_index'),
    term: notes.number('meta/term'),
    scheduledCompactRevision: notes.revision('meta/scheduledCompactRev'),
    finishedCompactRevision: notes.revision('meta/finishedCompactRev'),
    storageVersion: notes.version('meta/storageVersion'),
    clusterVersion: notes.version('cluster/clusterVersion'),
  };
}

interface Note {
  readonly value: Buffer;
  readonly page: number;
}

/** Keeps the keys of the two buckets that are known here. */
class Notes implements TreeVisitor {
  readonly #notes = new Map<string, Note>();
  #bucket = '';

  enterBucket(name: Uint8Array, depth: number): boolean {
    this.#bucket = Buffer.from(name).toString('latin1');
    return depth === 1 && (this.#bucket === 'meta' || this.#bucket === 'cluster');
  }

  leaf(leaf: LeafPage, page: number, depth: number): void {
    if (depth !== 1) return;
    for (let index = 0; index < leaf.count; index += 1) {
      if (leaf.isBucket(index)) continue;
      const key = Buffer.from(leaf.key(index)).toString('latin1');
      this.#notes.set(`${this.#bucket}/${key}`, { value: Buffer.from(leaf.value(index)), page });
    }
  }

  scannedLeaf(): void {
    throw new Error('no scanned pages are given to this walk');
  }

  number(name: string): bigint | undefined {
    return this.#parsed(name, name, parseNumber);
  }

  revision(name: string): bigint | undefined {
    return this.#parsed(name, `the revision ${name}`, parseRevision);
  }

  /** etcdutl, too, takes what is no version for none. */
  version(name: string): string | undefined {
    const note = this.#notes.get(name);
    return note && parseVersion(note.value);
  }

  #parsed(
    name: string,
    subject: string,
    parse: (value: Uint8Array) => bigint | string,
  ): bigint | undefined {
    const note = this.#notes.get(name);
    if (note === undefined) return undefined;
    const parsed = parse(note.value);
    if (typeof parsed === 'bigint') return parsed;
    throw databaseDamaged(`${subject} ${parsed}`, { page: note.page });
  }
}
