// What each byte of a sound snapshot is. This shares nothing with the product's readers, and trusts what it reads.

export const PLACES = [
  ...['meta in use', 'other meta', 'number and kind of a meta page', 'rest of a meta page'],
  ...['number and kind of a page', 'count of a page', 'overflow of a page', 'branch element'],
  ...['branch key', 'leaf element', 'name of a bucket', 'root of a bucket'],
  ...['sequence of a bucket', 'revision', 'tags and lengths', 'key', 'create_revision'],
  ...['mod_revision', 'version', 'value', 'lease', 'name of a note', 'note', 'other bucket'],
  ...['slack of a page', 'free page', 'trailer'],
] as const;

export type Place = (typeof PLACES)[number];

const HEADER = 16;
const ELEMENT = 16;
const TRAILER = 32;
const FIELDS: Readonly<Record<number, Place>> = {
  1: 'key',
  2: 'create_revision',
  3: 'mod_revision',
  4: 'version',
  5: 'value',
  6: 'lease',
};

/** The place of every byte, as its index in PLACES. */
export function placesOf(file: Buffer): Uint8Array {
  return new PlaceMap(file).places;
}

class PlaceMap {
  readonly places: Uint8Array;
  readonly #file: Buffer;
  readonly #pageSize: number;

  constructor(file: Buffer) {
    this.#file = file;
    this.#pageSize = file.readUInt32LE(24);
    this.places = new Uint8Array(file.length).fill(PLACES.indexOf('free page'));
    if (file.length % this.#pageSize === TRAILER)
      this.#mark('trailer', file.length - TRAILER, TRAILER);
    const inUse = file.readBigUInt64LE(64) > file.readBigUInt64LE(this.#pageSize + 64) ? 0 : 1;
    for (const id of [0, 1]) {
      const page = id * this.#pageSize;
      this.#mark('rest of a meta page', page, this.#pageSize);
      this.#mark('number and kind of a meta page', page, 10);
      this.#mark(id === inUse ? 'meta in use' : 'other meta', page + HEADER, 64);
    }
    this.#page(Number(file.readBigUInt64LE(inUse * this.#pageSize + 32)), '');
  }

  #mark(place: Place, start: number, length: number): void {
    this.places.fill(PLACES.indexOf(place), start, start + length);
  }

  #page(id: number, bucket: string): void {
    const page = id * this.#pageSize;
    const overflow = this.#file.readUInt32LE(page + 12);
    this.#mark('slack of a page', page, (overflow + 1) * this.#pageSize);
    if (this.#file.readUInt16LE(page + 8) === 1) this.#branch(page, bucket);
    else this.#leaf(page, bucket);
  }

  #header(page: number): void {
    this.#mark('number and kind of a page', page, 10);
    this.#mark('count of a page', page + 10, 2);
    this.#mark('overflow of a page', page + 12, 4);
  }

  #branch(page: number, bucket: string): void {
    this.#header(page);
    const count = this.#file.readUInt16LE(page + 10);
    for (
      let element = page + HEADER;
      element < page + HEADER + count * ELEMENT;
      element += ELEMENT
    ) {
      const key = element + this.#file.readUInt32LE(element);
      this.#mark('branch element', element, ELEMENT);
      this.#mark('branch key', key, this.#file.readUInt32LE(element + 4));
      this.#page(Number(this.#file.readBigUInt64LE(element + 8)), bucket);
    }
  }

  /** @param bucket its name; '' for the one of all buckets */
  #leaf(page: number, bucket: string): void {
    this.#header(page);
    const count = this.#file.readUInt16LE(page + 10);
    for (
      let element = page + HEADER;
      element < page + HEADER + count * ELEMENT;
      element += ELEMENT
    ) {
      this.#mark('leaf element', element, ELEMENT);
      const key = element + this.#file.readUInt32LE(element + 4);
      const value = key + this.#file.readUInt32LE(element + 8);
      const size = this.#file.readUInt32LE(element + 12);
      if (bucket === '') this.#bucket(key, value, size);
      else this.#entry(bucket, key, value, size);
    }
  }

  #bucket(key: number, value: number, size: number): void {
    this.#mark('name of a bucket', key, value - key);
    this.#mark('root of a bucket', value, 8);
    this.#mark('sequence of a bucket', value + 8, 8);
    const name = this.#file.toString('latin1', key, value);
    const root = Number(this.#file.readBigUInt64LE(value));
    if (root !== 0) this.#page(root, name);
    else if (size > 16) this.#leaf(value + 16, name);
  }

  #entry(bucket: string, key: number, value: number, size: number): void {
    if (bucket === 'key') {
      this.#mark('revision', key, value - key);
      this.#message(value, value + size);
      return;
    }
    const isNote = bucket === 'meta' || bucket === 'cluster';
    this.#mark(isNote ? 'name of a note' : 'other bucket', key, value - key);
    this.#mark(isNote ? 'note' : 'other bucket', value, size);
  }

  #message(start: number, end: number): void {
    this.#mark('tags and lengths', start, end - start);
    for (let at = start; at < end; ) {
      const tag = this.#file[at]!;
      const [number, next] = this.#varint(at + 1);
      const place = FIELDS[tag >> 3]!;
      if (tag % 8 === 0) {
        this.#mark(place, at + 1, next - at - 1);
        at = next;
      } else {
        this.#mark(place, next, number);
        at = next + number;
      }
    }
  }

  /** @returns the number and where it ends */
  #varint(at: number): readonly [number, number] {
    let value = 0;
    for (let factor = 1; ; factor *= 128, at += 1) {
      value += (this.#file[at]! & 0x7f) * factor;
      if (this.#file[at]! < 0x80) return [value, at + 1];
    }
  }
}
