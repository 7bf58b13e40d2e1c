// For tests only: databases as what they hold, to be written and read back.

import fc from 'fast-check';
import { type Cursor, openBucket } from './cursor.ts';
import { DatabaseEdit } from './edit.ts';
import { readMeta } from './meta.ts';
import { BranchPage, LeafPage, PAGE_FLAGS } from './page.ts';
import { viewOf } from './page-image.ts';
import type { PageSource } from './page-source.ts';
import type { PageTarget } from './page-target.ts';
import { bytesSource } from './testing.ts';
import { type BucketWriter, DatabaseWriter, type WriterOptions } from './writer.ts';

/** What a bucket holds, by key as latin1: a value, or a bucket. */
export type Contents = Map<string, Buffer | Contents>;

/** Keeps what is written, and tells each page that is written twice. */
export class MemoryTarget implements PageTarget {
  bytes: Buffer<ArrayBuffer>;
  /** Where writes began, in their order. */
  readonly offsets: number[] = [];
  #length: number;

  constructor(bytes: Uint8Array = Buffer.alloc(0)) {
    this.bytes = Buffer.from(bytes);
    this.#length = bytes.length;
  }

  get written(): Buffer {
    return this.bytes.subarray(0, this.#length);
  }

  write(bytes: Uint8Array, offset: number): undefined {
    this.offsets.push(offset);
    const end = offset + bytes.length;
    if (end > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(end, 2 * this.bytes.length));
      this.bytes.copy(larger);
      this.bytes = larger;
    }
    this.bytes.set(bytes, offset);
    this.#length = Math.max(this.#length, end);
  }

  source(): PageSource {
    return bytesSource(this.written);
  }
}

export async function writeDatabase(contents: Contents, options: WriterOptions) {
  const target = new MemoryTarget();
  const writer = new DatabaseWriter(target, options);
  for (const [name, bucket] of sorted(contents)) {
    if (bucket instanceof Map) await writeBucket(writer.bucket(keyOf(name)), bucket);
  }
  const written = await writer.end();
  return { ...written, target, bytes: target.written };
}

async function writeBucket(writer: BucketWriter, contents: Contents): Promise<void> {
  for (const [key, value] of sorted(contents)) {
    if (value instanceof Map) await writeBucket(writer.bucket(keyOf(key)), value);
    else await writer.put(keyOf(key), value);
  }
  await writer.end();
}

/** All that a database holds, by a cursor. */
export async function readContents(source: PageSource): Promise<Contents> {
  return await contentsOf((await openBucket(source, []))!);
}

async function contentsOf(cursor: Cursor): Promise<Contents> {
  const contents: Contents = new Map();
  for (let there = await cursor.first(); there; there = await cursor.next()) {
    const key = Buffer.from(cursor.key).toString('latin1');
    const value = cursor.isBucket ? await contentsOf(cursor.bucket()) : Buffer.from(cursor.value);
    contents.set(key, value);
  }
  return contents;
}

/** In the order of the keys' bytes. */
export function sorted(contents: Contents): [string, Buffer | Contents][] {
  return [...contents].sort(([left], [right]) => (left < right ? -1 : 1));
}

export function keyOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Keys, most of them short and alike, so that they meet. */
export const anyKey = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.string({
      unit: fc.constantFrom('a', 'b', '\xff', '\0'),
      minLength: 1,
      maxLength: 6,
    }),
  },
  { weight: 1, arbitrary: fc.nat(2500).map((length) => `k${'x'.repeat(length)}`) },
);

/** Values from none to several pages. */
export const anyValue = fc
  .oneof(
    { weight: 6, arbitrary: fc.nat(40) },
    { weight: 2, arbitrary: fc.nat(1500) },
    { weight: 1, arbitrary: fc.nat(6000) },
  )
  .chain((length) => fc.nat(255).map((byte) => Buffer.alloc(length, byte)));

const anyEntries = fc.oneof(
  { weight: 1, arbitrary: fc.array(fc.tuple(anyKey, anyValue), { maxLength: 4 }) },
  { weight: 2, arbitrary: fc.array(fc.tuple(anyKey, anyValue), { maxLength: 120, size: 'max' }) },
  {
    // Enough for several levels of the smallest pages.
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(3000), fc.nat(30))
      .map(([count, size]) =>
        Array.from({ length: count }, (_, index): [string, Buffer] => [
          `key ${index.toString().padStart(5, '0')}`,
          Buffer.alloc((index * size) % 97, index),
        ]),
      ),
  },
);

/** A bucket with buckets in it, some levels of them. */
function anyBucket(levels: number): fc.Arbitrary<Contents> {
  const buckets =
    levels === 0
      ? fc.constant([])
      : fc.array(fc.tuple(anyKey, anyBucket(levels - 1)), { maxLength: 2 });
  return fc
    .tuple(anyEntries, buckets)
    .map(([entries, below]) => new Map<string, Buffer | Contents>([...entries, ...below]));
}

/** A database of some buckets, with buckets in them. */
export const anyDatabase: fc.Arbitrary<Contents> = fc
  .array(fc.tuple(anyKey, anyBucket(2)), { maxLength: 4 })
  .map((buckets) => new Map<string, Buffer | Contents>(buckets));

/** A change of a database, by the names of the buckets on the way. */
export interface AnyChange {
  readonly path: readonly string[];
  readonly kind: 'put' | 'delete' | 'clear' | 'bucket' | 'delete-bucket';
  readonly key: string;
  readonly value: Buffer;
}

/** Changes of what is there, and of what is not: by numbers, which `changesOf` looks up. */
export const anyChanges = fc.array(
  fc.record({
    kind: fc.constantFrom(
      'put',
      'put',
      'put',
      'delete',
      'delete',
      'clear',
      'bucket',
      'delete-bucket',
    ),
    /** Which bucket, and which of its keys; how many keys from there on. */
    bucket: fc.nat(1000),
    at: fc.nat(5000),
    run: fc.oneof(fc.constant(1), fc.nat(8), fc.nat(2000)),
    key: anyKey,
    isNew: fc.boolean(),
    value: anyValue,
  }),
  { maxLength: 12 },
);

type AnyChanges = typeof anyChanges extends fc.Arbitrary<infer T> ? T : never;

/** Makes changes in a model. @returns them, as they are made in the database */
export function change(contents: Contents, numbers: AnyChanges): AnyChange[] {
  const changes: AnyChange[] = [];
  // One key is changed as one thing only, in all of the edit.
  const kinds = new Map<string, boolean>();
  for (const { kind, bucket, at, run, key: newKey, isNew, value } of numbers) {
    const paths = [...pathsOf(contents)];
    const path = paths[bucket % paths.length]!;
    const place = bucketAt(contents, path);
    const keys = sorted(place).map(([key]) => key);
    const picked =
      isNew || keys.length === 0 ? [newKey] : keys.slice(at % keys.length).slice(0, run);
    for (const key of kind === 'clear' ? [''] : picked) {
      const old = place.get(key);
      const isAboutBucket = kind === 'bucket' || kind === 'delete-bucket';
      const name = JSON.stringify([...path, key]);
      if (path.length === 0 && !isAboutBucket) continue;
      if (old !== undefined && old instanceof Map !== isAboutBucket && kind !== 'clear') continue;
      if ((kinds.get(name) ?? isAboutBucket) !== isAboutBucket) continue;
      kinds.set(name, isAboutBucket);
      changes.push({ path, kind, key, value });
      if (kind === 'put') place.set(key, value);
      else if (kind === 'bucket') place.set(key, old ?? new Map<string, Buffer | Contents>());
      else if (kind === 'clear') place.clear();
      else place.delete(key);
    }
  }
  return changes;
}

function* pathsOf(contents: Contents, path: readonly string[] = []): Generator<readonly string[]> {
  yield path;
  for (const [name, value] of contents) {
    if (value instanceof Map) yield* pathsOf(value, [...path, name]);
  }
}

function bucketAt(contents: Contents, path: readonly string[]): Contents {
  return path.reduce((bucket, name) => bucket.get(name) as Contents, contents);
}

/** Makes the same changes in a database. */
export async function edit(bytes: Uint8Array, changes: readonly AnyChange[]) {
  const target = new MemoryTarget(bytes);
  const database = await DatabaseEdit.open(bytesSource(bytes));
  for (const { path, kind, key, value } of changes) {
    const [first, ...rest] = path;
    if (first === undefined) {
      if (kind === 'bucket') database.bucket(keyOf(key));
      else database.deleteBucket(keyOf(key));
      continue;
    }
    const root = database.bucket(keyOf(first));
    const place = rest.reduce((bucket, name) => bucket.bucket(keyOf(name)), root);
    if (kind === 'put') place.put(keyOf(key), value);
    else if (kind === 'delete') place.delete(keyOf(key));
    else if (kind === 'bucket') place.bucket(keyOf(key));
    else if (kind === 'clear') place.clear();
    else place.deleteBucket(keyOf(key));
  }
  const written = await database.commit(target);
  return { ...written, target, bytes: target.written };
}

/** Expects all leaves of each bucket to be on one level, as bbolt has them, and merges pages. */
export async function expectLevel(bytes: Buffer): Promise<void> {
  const { pageSize, root } = await readMeta(bytesSource(bytes));
  const heightOf = (page: number): number => {
    const start = page * pageSize;
    const length = (bytes.readUInt32LE(start + 12) + 1) * pageSize;
    if (bytes.readUInt16LE(start + 8) === PAGE_FLAGS.leaf) {
      const leaf = new LeafPage();
      leaf.open(bytes, viewOf(bytes), start, length);
      for (let index = 0; index < leaf.count; index += 1) {
        if (leaf.isBucket(index) && leaf.bucketRoot(index) !== 0) heightOf(leaf.bucketRoot(index));
      }
      return 0;
    }
    const branch = new BranchPage();
    branch.open(bytes, viewOf(bytes), start, length);
    const children = Array.from({ length: branch.count }, (_, index) => branch.child(index));
    const heights = new Set(children.map(heightOf));
    if (heights.size !== 1) throw new Error(`page ${page} has leaves on more than one level`);
    return 1 + [...heights][0]!;
  };
  heightOf(root);
}
