// Changes a text, or a wire format that is read byte by byte: by bits, by words that mean something in it, and by
// parts that are left out, doubled, swapped or repeated very often.
import type { Random } from '../fixtures/random.ts';

const WORDS = [
  ...['', '0', '-1', '1e400', '99999999999999999999', 'null', 'true', '[]', '{}', '""', "''", '~'],
  ...[
    '\0',
    '\n',
    '\r\n',
    '\t',
    ' ',
    '  ',
    '\\',
    '"',
    "'",
    '`',
    '$(x)',
    '${x}',
    '#',
    '&a',
    '*a',
    '<<: *a',
  ],
  ...[
    '- ',
    ': ',
    '? ',
    '|',
    '>',
    '%YAML 1.2\n---\n',
    '---\n',
    '...\n',
    '!!binary ',
    '!!set ',
    '\ufeff',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    '\ud800',
    '\u2028',
    'é',
    '😀',
    '../',
    '/',
    '//',
    '://',
    '@',
  ],
];

type Mutation = (bytes: Buffer, random: Random) => Buffer;

const at = (bytes: Buffer, random: Random): number => random.between(0, bytes.length);

/** Replaces so many bytes at a place. */
function splice(bytes: Buffer, start: number, length: number, put: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(start + length)]);
}

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[at(copy, random) % copy.length]! ^= 1 << random.between(0, 7);
    return copy;
  },
  (bytes, random) => splice(bytes, at(bytes, random), 1, random.bytes(1)),
  (bytes, random) =>
    splice(bytes, at(bytes, random), random.between(0, 4), Buffer.from(random.pick(WORDS))),
  (bytes, random) => splice(bytes, at(bytes, random), random.between(1, 40), Buffer.alloc(0)),
  (bytes, random) => {
    const start = at(bytes, random);
    const part = bytes.subarray(start, start + random.between(1, 80));
    return splice(bytes, at(bytes, random), 0, part);
  },
  (bytes, random) => {
    const start = at(bytes, random);
    const part = bytes.subarray(start, start + random.between(1, 4));
    return splice(bytes, start, 0, Buffer.concat(Array<Buffer>(random.between(2, 300)).fill(part)));
  },
  (bytes, random) => bytes.subarray(0, at(bytes, random)),
  (bytes, random) => {
    // A number in it becomes another.
    const text = bytes.toString('latin1');
    const numbers = [...text.matchAll(/\d+/g)];
    if (numbers.length === 0) return bytes;
    const { 0: digits, index } = random.pick(numbers);
    const put = random.pick(['0', '-1', '1', '65536', '4294967296', '9007199254740993', '1e999']);
    return splice(bytes, index, digits.length, Buffer.from(put));
  },
];

/** A text with up to four things changed. */
export function mutateText(seed: Uint8Array, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(seed);
  const count = random.chance(0.5) ? 1 : random.between(0, 4);
  for (let done = 0; done < count; done += 1) bytes = random.pick(MUTATIONS)(bytes, random);
  return bytes;
}
