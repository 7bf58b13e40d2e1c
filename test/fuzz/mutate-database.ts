// Changes a database where it hurts: in its metas with their checksums made anew, in the headers of pages and of
// elements, in what branches refer to, in revisions and in messages; and by bits anywhere.
import { sealMeta } from '../../src/bbolt/testing.ts';
import type { Random } from '../fixtures/random.ts';

const HEADER = 16;
const ELEMENT = 16;
const [BRANCH, LEAF, META, FREELIST] = [1, 2, 4, 16];

const NUMBERS: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 7n, 8n, 15n, 16n, 17n, 18n, 32n, 63n, 64n, 127n, 128n, 255n, 256n, 511n],
  ...[1023n, 1024n, 1025n, 4095n, 4096n, 4097n, 0x7fffn, 0x8000n, 0xffffn, 0x10000n, 0xffffffn],
  ...[0x7fffffffn, 0x80000000n, 0xffffffffn, 0x1_0000_0000n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n],
  ...[2n ** 64n - 1n, 2n ** 40n, 2n ** 48n + 2n, 2n ** 32n + 3n],
];

/** A database that is being changed. */
class Patient {
  bytes: Buffer;
  readonly random: Random;
  readonly pageSize: number;

  constructor(bytes: Buffer, pageSize: number, random: Random) {
    this.bytes = bytes;
    this.pageSize = pageSize;
    this.random = random;
  }

  get pages(): number {
    return Math.max(1, Math.floor(this.bytes.length / this.pageSize));
  }

  page(): number {
    return this.random.between(0, this.pages - 1);
  }

  /** Where a page begins whose header has one of these flags; any page if there is none. */
  pageOf(...flags: readonly number[]): number {
    const start = this.page();
    for (let step = 0; step < this.pages; step += 1) {
      const at = ((start + step) % this.pages) * this.pageSize;
      if (at + HEADER > this.bytes.length) continue;
      if (flags.includes(this.bytes.readUInt16LE(at + 8))) return at;
    }
    return start * this.pageSize;
  }

  /** Where the header of an element of such a page is; the page's own if it has none. */
  elementOf(page: number): number {
    if (page + HEADER > this.bytes.length) return page;
    const count = Math.min(this.bytes.readUInt16LE(page + 10), this.pageSize / ELEMENT - 1);
    return count === 0 ? page : page + HEADER + this.random.between(0, count - 1) * ELEMENT;
  }

  /** Where the key of an element of a leaf begins. */
  keyOf(element: number): number {
    return element + this.read(element + 4);
  }

  valueOf(element: number): number {
    return this.keyOf(element) + this.read(element + 8);
  }

  read(at: number): number {
    return at + 4 <= this.bytes.length ? this.bytes.readUInt32LE(at) : 0;
  }

  /** A number that is somewhere a bound, or near to what is there. */
  number(before: bigint): bigint {
    const { random } = this;
    if (random.chance(0.25)) return before + BigInt(random.between(-3, 3));
    if (random.chance(0.2)) return BigInt(this.page());
    if (random.chance(0.2)) return BigInt(this.page() * this.pageSize + random.between(-1, 1));
    if (random.chance(0.2)) return before ^ (1n << BigInt(random.between(0, 63)));
    return random.pick(NUMBERS);
  }

  /** Sets a number of so many bytes, in little-endian. */
  set(at: number, size: number): void {
    if (at < 0 || at + size > this.bytes.length) return;
    let before = 0n;
    for (let index = size - 1; index >= 0; index -= 1) {
      before = (before << 8n) | BigInt(this.bytes[at + index]!);
    }
    let value = BigInt.asUintN(8 * size, this.number(before));
    for (let index = 0; index < size; index += 1) {
      this.bytes[at + index] = Number(value & 0xffn);
      value >>= 8n;
    }
  }

  flip(from: number, length: number): void {
    const at = from + this.random.between(0, Math.max(0, length - 1));
    if (at < this.bytes.length) this.bytes[at]! ^= 1 << this.random.between(0, 7);
  }
}

type Mutation = (patient: Patient) => void;

const flipAnywhere: Mutation = (patient) => patient.flip(0, patient.bytes.length);
const flipInFront: Mutation = (patient) =>
  patient.flip(patient.pageOf(BRANCH, LEAF, META, FREELIST), 160);
const setAnywhere: Mutation = (patient) => {
  const size = patient.random.pick([1, 2, 4, 8]);
  patient.set(patient.random.between(0, patient.bytes.length - 1), size);
};
const setInHeader: Mutation = (patient) => {
  const page = patient.pageOf(BRANCH, LEAF, FREELIST);
  const [offset, size] = patient.random.pick([
    [0, 8],
    [8, 2],
    [10, 2],
    [12, 4],
  ] as const);
  patient.set(page + offset, size);
};

/** In one meta or in both, with a checksum that holds. */
const setInMeta: Mutation = (patient) => {
  const { random, bytes, pageSize } = patient;
  const [offset, size] = random.pick([
    [24, 4],
    [28, 4],
    [32, 8],
    [40, 8],
    [48, 8],
    [56, 8],
    [64, 8],
  ] as const);
  const first = random.between(0, 1);
  const isBoth = random.chance(0.6);
  for (const id of isBoth ? [0, 1] : [first]) {
    const page = id * pageSize;
    if (page + 80 > bytes.length) continue;
    if (id === 1 && isBoth && random.chance(0.9))
      bytes.copy(bytes, page + offset, offset, offset + size);
    else patient.set(page + offset, size);
    sealMeta(bytes.subarray(page, page + 80));
  }
};
const setInLeafElement: Mutation = (patient) => {
  const element = patient.elementOf(patient.pageOf(LEAF));
  patient.set(element + 4 * patient.random.between(0, 3), 4);
};
const setInBranchElement: Mutation = (patient) => {
  const element = patient.elementOf(patient.pageOf(BRANCH));
  patient.set(element + 4 * patient.random.between(0, 1), 4);
};
const redirectChild: Mutation = (patient) => {
  const element = patient.elementOf(patient.pageOf(BRANCH));
  if (element + ELEMENT > patient.bytes.length) return;
  patient.bytes.writeBigUInt64LE(BigInt(patient.page()), element + 8);
};
const setInBucketHeader: Mutation = (patient) => {
  const value = patient.valueOf(patient.elementOf(patient.pageOf(LEAF)));
  const [offset, size] = patient.random.pick([
    [0, 8],
    [8, 8],
    [16, 8],
    [24, 2],
    [26, 2],
    [28, 4],
    [32, 4],
    [36, 4],
    [40, 4],
    [44, 4],
  ] as const);
  patient.set(value + offset, size);
};
const setBucketFlag: Mutation = (patient) => {
  const element = patient.elementOf(patient.pageOf(LEAF));
  if (element < patient.bytes.length) patient.bytes[element]! ^= 1;
};
const setInRevision: Mutation = (patient) => {
  const key = patient.keyOf(patient.elementOf(patient.pageOf(LEAF)));
  const at = key + patient.random.pick([0, 6, 7, 7, 7, 8, 9, 16, 17]);
  if (at < patient.bytes.length) patient.bytes[at] = patient.random.between(0, 255);
};
const setInMessage: Mutation = (patient) => {
  const element = patient.elementOf(patient.pageOf(LEAF));
  const size = patient.read(element + 12);
  const at = patient.valueOf(element) + patient.random.between(0, Math.min(size, 60));
  if (at < patient.bytes.length) patient.bytes[at] = Number(patient.number(3n) & 0xffn);
};
const swapElements: Mutation = (patient) => {
  const page = patient.pageOf(LEAF, BRANCH);
  const [left, right] = [patient.elementOf(page), patient.elementOf(page)];
  if (Math.max(left, right) + ELEMENT > patient.bytes.length) return;
  const kept = Buffer.from(patient.bytes.subarray(left, left + ELEMENT));
  patient.bytes.copy(patient.bytes, left, right, right + ELEMENT);
  kept.copy(patient.bytes, right);
};
const copyPage: Mutation = (patient) => {
  const { bytes, pageSize, random } = patient;
  const [from, to] = [patient.page() * pageSize, patient.page() * pageSize];
  bytes.copy(bytes, to, from, from + pageSize);
  if (random.chance(0.7) && to + 8 <= bytes.length)
    bytes.writeBigUInt64LE(BigInt(to / pageSize), to);
};
const swapPages: Mutation = (patient) => {
  const { bytes, pageSize } = patient;
  const [left, right] = [patient.page() * pageSize, patient.page() * pageSize];
  const kept = Buffer.from(bytes.subarray(left, left + pageSize));
  bytes.copy(bytes, left, right, right + pageSize);
  kept.copy(bytes, right);
};
const wipePage: Mutation = (patient) => {
  const { bytes, pageSize } = patient;
  const start = patient.page() * pageSize;
  bytes.subarray(start, start + pageSize).fill(patient.random.pick([0, 0, 0xff]));
};
const moveBytes: Mutation = (patient) => {
  const { bytes, random } = patient;
  const [from, to] = [random.between(0, bytes.length), random.between(0, bytes.length)];
  bytes.copy(bytes, to, from, from + random.between(1, 64));
};
const cutOff: Mutation = (patient) => {
  const { bytes, random, pageSize } = patient;
  const end = random.chance(0.6)
    ? patient.page() * pageSize + random.between(-1, 1)
    : random.between(0, bytes.length);
  patient.bytes = Buffer.from(bytes.subarray(0, Math.max(0, end)));
};
const grow: Mutation = (patient) => {
  const { bytes, random, pageSize } = patient;
  const more = random.pick([1, 16, 32, pageSize, 3 * pageSize]);
  patient.bytes = Buffer.concat([
    bytes,
    random.chance(0.5) ? Buffer.alloc(more) : random.bytes(more),
  ]);
};
const setInFreelist: Mutation = (patient) => {
  patient.set(patient.pageOf(FREELIST) + HEADER + 8 * patient.random.between(0, 3), 8);
};

const MUTATIONS: readonly Mutation[] = [
  ...[flipAnywhere, flipInFront, flipInFront, setAnywhere, setInHeader, setInHeader, setInMeta],
  ...[setInLeafElement, setInLeafElement, setInBranchElement, redirectChild, redirectChild],
  ...[setInBucketHeader, setBucketFlag, setInRevision, setInRevision, setInMessage, setInMessage],
  ...[swapElements, copyPage, swapPages, wipePage, moveBytes, cutOff, grow, setInFreelist],
];

/** A copy of a database with one to five things changed, once in a while with none. */
export function mutateDatabase(seed: Buffer, pageSize: number, random: Random): Buffer {
  const patient = new Patient(Buffer.from(seed), pageSize, random);
  const count = random.chance(0.5) ? 1 : random.between(0, 5);
  for (let done = 0; done < count && patient.bytes.length > 0; done += 1) {
    random.pick(MUTATIONS)(patient);
  }
  return patient.bytes;
}
