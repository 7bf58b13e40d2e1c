// Archives of static resources: tar by itself, and compressed in a file, through the whole inspection.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { TarSyntaxError } from '../../../src/base/tar-header.ts';
import { TarReader } from '../../../src/base/tar-reader.ts';
import { inspectArchive } from '../../../src/controlplane/archive-inspection.ts';
import type { Random } from '../../fixtures/random.ts';
import { paxRecord, tarOf } from '../../fixtures/tar.ts';
import { temporaryDirectory } from '../../servers/directories.ts';
import { mutateText } from '../mutate-text.ts';
import { attempt, demand, show, type Target } from '../target.ts';

const BLOCK = 512;
const PODS = 'static-pod-resources';

const SEEDS = [
  tarOf(
    { path: `${PODS}/`, type: '5' },
    { path: `${PODS}/etcd-pod-3/etcd-pod.yaml`, body: 'kind: Pod\nspec: {containers: [{}]}\n' },
    { path: `${PODS}/etcd-pod-3/certs/ca.crt`, body: '-----BEGIN CERTIFICATE-----\nAA==\n' },
    { path: `${PODS}/etcd-pod-3/certs/link`, type: '2', link: 'ca.crt' },
    { path: `${PODS}/etcd-pod-3/certs/hard`, type: '1', link: `${PODS}/etcd-pod-3/certs/ca.crt` },
    { path: `${PODS}/kube-apiserver-pod-7/kube-apiserver-pod.yaml`, body: 'x'.repeat(1300) },
  ),
  tarOf(
    { path: 'pax', type: 'x', body: paxRecord('path', `etc/${'d'.repeat(120)}`) },
    { path: 'short', body: 'contents' },
    { path: '././@LongLink', type: 'L', body: `etc/${'l'.repeat(200)}\0`, magic: 'gnu' },
    { path: 'short', body: 'contents', magic: 'gnu' },
    { path: 'etc/kubernetes/manifests/etcd.yaml', body: 'kind: Pod\n', prefix: 'a/b' },
  ),
];

/** Makes the checksums of the headers hold, wherever a header may be. */
function seal(tar: Buffer): void {
  for (let at = 0; at + BLOCK <= tar.length; at += BLOCK) {
    const block = tar.subarray(at, at + BLOCK);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    block.fill(' ', 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
  }
}

function makeTar(random: Random): Buffer {
  const tar = Buffer.from(mutateText(random.pick(SEEDS), random));
  if (random.chance(0.2)) {
    // One of the fields of one of the headers.
    const block = BLOCK * random.between(0, Math.floor(tar.length / BLOCK));
    const [offset, size] = random.pick([
      ...([
        [0, 100],
        [100, 8],
        [124, 12],
        [156, 1],
        [157, 100],
        [257, 8],
        [345, 155],
      ] as const),
    ]);
    const at = block + offset + random.between(0, size - 1);
    if (at < tar.length) tar[at] = random.pick([0, 0x20, 0x2f, 0x37, 0x80, 0xff, 0x2e]);
  }
  if (random.chance(0.8)) seal(tar);
  return tar;
}

/** What is in it, and how reading it ended. */
function readTar(bytes: Buffer, nextLength: () => number): { members: unknown[]; end: string } {
  const members: unknown[] = [];
  let size = 0;
  let hash = createHash('sha256');
  let current: unknown;
  const reader = new TarReader({
    entry: (entry) => {
      [current, size, hash] = [entry, 0, createHash('sha256')];
    },
    data: (piece) => {
      size += piece.length;
      hash.update(piece);
    },
    end: () => members.push([current, size, hash.digest()]),
  });
  try {
    for (let at = 0; at < bytes.length; ) {
      const length = nextLength();
      reader.push(bytes.subarray(at, at + length));
      at += length;
    }
    reader.finish();
    return { members, end: 'read' };
  } catch (reason) {
    if (!(reason instanceof TarSyntaxError)) throw reason;
    return { members, end: reason.message };
  }
}

const tars: Target = {
  name: 'tar',
  weight: 4,
  make: makeTar,
  run(input, random) {
    const bytes = Buffer.from(input);
    const whole = readTar(bytes, () => bytes.length + 1);
    const pieces = readTar(bytes, () => random.between(1, 1000));
    demand(show(pieces) === show(whole), `in pieces ${show(pieces)}, as a whole ${show(whole)}`);
    return whole.end === 'read' ? 'read' : 'refused';
  },
};

let directory: string | undefined;

const archives: Target = {
  name: 'archive',
  weight: 2,
  make(random) {
    const archive = gzipSync(makeTar(random), { level: 1 });
    return random.chance(0.3) ? mutateText(archive, random) : archive;
  },
  async run(input) {
    directory ??= temporaryDirectory();
    const path = join(directory, 'resources.tar.gz');
    writeFileSync(path, input);
    const inspected = await attempt(
      () => inspectArchive({ path, now: new Date(0) }),
      'file-failed',
    );
    // An empty file is no file to some.
    if (!('value' in inspected)) return inspected.code;
    const { bytes, sha256, findings, count } = inspected.value;
    demand(bytes === input.length, `${bytes} bytes are read of ${input.length}`);
    const digest = createHash('sha256').update(input).digest('hex');
    demand(sha256 === digest, 'the digest is not that of the file');
    demand(count.error + count.warning >= findings.length, 'findings that are not counted');
    const isDamaged = findings.some(({ rule }) => rule === 'archive-damaged');
    return isDamaged ? 'archive-damaged' : 'read';
  },
};

export const ARCHIVES: readonly Target[] = [tars, archives];
