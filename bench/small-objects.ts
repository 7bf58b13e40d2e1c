// Many small objects, each written once or twice: what fills the etcd of a busy cluster.

import { createHash } from 'node:crypto';
import type { Write } from '../test/servers/gateway.ts';

const MIN_VALUE_BYTES = 1500;
const SPREAD_BYTES = 3000;
/** Every so many objects, one is written again. */
const REWRITE_EVERY = 3;

/** Writes of about `fromBytes` to `toBytes` of values: the same bytes give the same objects. */
export function* smallObjects(fromBytes: number, toBytes: number): Generator<Write> {
  let written = 0;
  for (let index = 0; written < toBytes; index += 1) {
    const value = valueOf(index);
    written += value.length;
    if (written <= fromBytes) continue;
    yield { key: keyOf(index), value };
    if (index % REWRITE_EVERY !== 0) continue;
    written += value.length;
    yield { key: keyOf(index), value: value.toReversed() };
  }
}

function keyOf(index: number): string {
  return `/kubernetes.io/configmaps/namespace-${index % 97}/object-${index}`;
}

/** Bytes that do not compress, as those of an encrypted or a protobuf value hardly do. */
function valueOf(index: number): Buffer {
  const seed = createHash('sha256').update(`object ${index}`).digest();
  const length = MIN_VALUE_BYTES + (seed.readUInt32BE(0) % SPREAD_BYTES);
  const blocks = Array.from({ length: Math.ceil(length / seed.length) }, (_, block) => {
    const copy = Buffer.from(seed);
    copy.writeInt32BE(copy.readInt32BE(4) ^ block, 4);
    return copy;
  });
  return Buffer.concat(blocks).subarray(0, length);
}
