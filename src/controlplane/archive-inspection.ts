// Looks through an archive of static resources: whether it is whole, what is in it, and whether that makes a control plane.
// One pass, bounded memory; nothing is written and nothing extracted. What is wrong is no error but a finding.

import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { CompressionError, Decompressor } from '../base/decompressor.ts';
import { readError } from '../base/errors.ts';
import { TarSyntaxError } from '../base/tar-header.ts';
import { TarReader } from '../base/tar-reader.ts';
import { formatBytes } from '../base/units.ts';
import { ArchiveCertificates, type ArchivedCertificate } from './archive-certificates.ts';
import { type ArchiveFinding, ArchiveFindings } from './archive-finding.ts';
import {
  ARCHIVE_LIMITS,
  ArchiveLimitError,
  type ArchiveLimits,
  ArchiveMembers,
  type InspectedMember,
} from './archive-members.ts';
import { type ArchivedPods, ArchivePods } from './archive-pods.ts';

/** What was found out about an archive. */
export interface ArchiveInspection extends ArchivedPods {
  readonly path: string;
  /** Of the archive itself, compressed. */
  readonly bytes: number;
  readonly sha256: string;
  /** Whether it was read to its end. If not, what is missing is not known, and no finding says so. */
  readonly isWhole: boolean;
  /** In the order of the archive; as far as it could be read. */
  readonly members: readonly InspectedMember[];
  /** All of them, in the order of the archive. */
  readonly certificates: readonly ArchivedCertificate[];
  /** The one in use that ends first. */
  readonly earliestEnd: ArchivedCertificate | undefined;
  readonly findings: readonly ArchiveFinding[];
  /** All of them, also those that are not kept. The archive is good if there is no error. */
  readonly count: { readonly error: number; readonly warning: number };
}

export interface ArchiveInspectionRequest {
  readonly path: string;
  /** What certificates are held against. */
  readonly now: Date;
  readonly progress?: (bytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
  /** For an archive that holds a database too (OpenShift 4.3.0), or a test. */
  readonly limits?: Partial<ArchiveLimits>;
}

const CHUNK_BYTES = 128 << 10;

/**
 * Reads an archive once from end to end, also behind what ends it, for the digest.
 * @throws EtcdkeepError `file-failed`, also where the file is changed meanwhile; the signal's reason once it has fired
 */
export async function inspectArchive(
  request: ArchiveInspectionRequest,
): Promise<ArchiveInspection> {
  const { path, now } = request;
  const findings = new ArchiveFindings();
  const certificates = new ArchiveCertificates(findings);
  const pods = new ArchivePods(findings);
  const limits = { ...ARCHIVE_LIMITS, ...request.limits };
  const members = new ArchiveMembers(findings, limits, (member, text) => {
    certificates.see(member, text);
    pods.see(member, text);
  });
  const unpacking = new Unpacking(findings, members, limits, request.signal);
  const read = await readWhole(request, unpacking);
  const { isWhole } = unpacking;
  const found = pods.judge(members, isWhole);
  members.judgeLinks(found.layout);
  const judged = certificates.judge(now);
  return {
    path,
    ...read,
    isWhole,
    members: members.list,
    ...found,
    certificates: judged,
    earliestEnd: earliest(judged.filter(({ isInUse }) => isInUse)),
    findings: findings.kept,
    count: findings.count,
  };
}

/** gzip and tar, until one of them cannot go on. */
class Unpacking {
  readonly #findings: ArchiveFindings;
  readonly #gzip: Decompressor;
  readonly #tar: TarReader;
  #bytes = 0;
  #isGzipOver = false;
  #isTarOver = false;

  /** After the end: whether nothing stopped it before the end of the archive. */
  get isWhole(): boolean {
    return !this.#isTarOver;
  }

  constructor(
    findings: ArchiveFindings,
    members: ArchiveMembers,
    { unpackedBytes }: ArchiveLimits,
    signal: AbortSignal | undefined,
  ) {
    this.#findings = findings;
    this.#tar = new TarReader(members);
    this.#gzip = new Decompressor('gzip', (bytes) => {
      signal?.throwIfAborted();
      this.#bytes += bytes.length;
      if (this.#bytes > unpackedBytes) {
        throw new ArchiveLimitError(`it unpacks to more than ${formatBytes(unpackedBytes)}`);
      }
      this.#tar.push(bytes);
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#isGzipOver) await this.#attempt(() => this.#gzip.write(bytes));
  }

  async end(): Promise<void> {
    if (!this.#isGzipOver) await this.#attempt(() => this.#gzip.end());
    if (!this.#isTarOver) await this.#attempt(() => this.#tar.finish());
    const { dataAfterEnd } = this.#tar;
    if (dataAfterEnd === undefined) return;
    this.#findings.add(
      'data-after-end',
      `something follows the end of the archive, at byte ${dataAfterEnd} of it`,
    );
  }

  close(): void {
    this.#gzip.close();
  }

  async #attempt(step: () => Promise<void> | void): Promise<void> {
    try {
      await step();
    } catch (reason) {
      this.#isGzipOver = true;
      // All of the archive came before what follows its end.
      this.#isTarOver = !(reason instanceof CompressionError && reason.kind === 'trailing');
      this.#tell(reason);
    }
  }

  #tell(reason: unknown): void {
    if (reason instanceof CompressionError) {
      const rule = reason.kind === 'trailing' ? 'trailing-garbage' : 'archive-damaged';
      this.#findings.add(rule, `${reason.message}, at byte ${reason.offset}`);
    } else if (reason instanceof TarSyntaxError) {
      this.#findings.add(
        'archive-damaged',
        `${reason.message}, at byte ${reason.offset} uncompressed`,
      );
    } else if (reason instanceof ArchiveLimitError) {
      this.#findings.add(
        'too-large',
        `${reason.message}; what follows was not read`,
        reason.member,
      );
    } else throw reason;
  }
}

async function readWhole(
  { path, progress, signal }: ArchiveInspectionRequest,
  unpacking: Unpacking,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  const file = await openArchive(path);
  try {
    const before = await file.stat();
    if (!before.isFile()) throw new Error('it is not a file');
    const buffer = Buffer.alloc(CHUNK_BYTES);
    let bytes = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES);
      if (bytesRead === 0) break;
      const chunk = buffer.subarray(0, bytesRead);
      hash.update(chunk);
      bytes += bytesRead;
      await unpacking.write(chunk);
      progress?.(bytes, before.size);
      // What grows while it is read may never end.
      if (bytes > before.size) break;
    }
    await unpacking.end();
    if (isChanged(before, await file.stat(), bytes))
      throw new Error('it was changed while it was read');
    return { bytes, sha256: hash.digest('hex') };
  } catch (reason) {
    signal?.throwIfAborted();
    throw readError(reason, 'read the archive', path);
  } finally {
    unpacking.close();
    await file.close();
  }
}

async function openArchive(path: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK the opening of a pipe waits for a writer.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (reason) {
    throw readError(reason, 'read the archive', path);
  }
}

function isChanged(before: Stats, after: Stats, bytes: number): boolean {
  return before.size !== after.size || before.mtimeMs !== after.mtimeMs || bytes !== after.size;
}

function earliest(certificates: readonly ArchivedCertificate[]): ArchivedCertificate | undefined {
  return certificates.reduce<ArchivedCertificate | undefined>(
    (first, each) => (first === undefined || each.validTo < first.validTo ? each : first),
    undefined,
  );
}
