// For tests only: databases as what they hold, to be written and read back.

import fc from 'fast-check';
import { type Cursor, openBucket } from './cursor.ts';
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
