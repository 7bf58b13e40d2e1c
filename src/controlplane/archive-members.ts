// The members of an archive as they come by: where each would land, and whether two of them would land in one place.

import { createHash, type Hash } from 'node:crypto';
import { posix } from 'node:path';
import type { TarEntry, TarKind, TarVisitor } from '../base/tar-reader.ts';
import { formatBytes } from '../base/units.ts';
import type { ArchiveFindings } from './archive-finding.ts';
import type { LayoutName } from './host.ts';

/** A member of an archive. */
export interface InspectedMember {
  /** Without `./` in front and a slash at the end, otherwise as stored. */
  readonly path: string;
  readonly kind: TarKind;
  readonly bytes: number;
  /** Permission bits as four octal digits: `0600`. */
  readonly mode: string;
  /** Of the contents of a file, in lower-case hex; that of the other name for a hard link. */
  readonly sha256: string | undefined;
  readonly linkTarget: string | undefined;
}

/** What is read of an archive at most. The writer of ours refuses more (resource-tree.ts). */
export interface ArchiveLimits {
  /** Of one member. */
  readonly memberBytes: number;
  /** Of all that comes out of gzip. */
  readonly unpackedBytes: number;
  readonly members: number;
  /** Of all paths and links together, which are kept in memory. */
  readonly nameBytes: number;
}

export const ARCHIVE_LIMITS: ArchiveLimits = {
  memberBytes: 2 ** 30,
  // With the headers and the fill of every member.
  unpackedBytes: 2 ** 30 + 2 ** 28,
  members: 100_000,
  nameBytes: 64 << 20,
};

/** Ends the reading where a limit is passed. */
export class ArchiveLimitError extends Error {
  readonly member: string | undefined;

  constructor(message: string, member?: string) {
    super(message);
    this.name = 'ArchiveLimitError';
    this.member = member;
  }
}

/** Manifests, certificates and their like hold a few kB; what is larger is none of them. */
const MAX_TEXT_BYTES = 4 << 20;

/** Far below it is what a host can have (resource-tree.ts). */
const MAX_DEPTH = 128;

const SPECIAL: Readonly<Partial<Record<TarKind, string>>> = {
  'character-device': 'a device',
  'block-device': 'a device',
  fifo: 'a pipe',
  other: 'a sparse file, or of a type that no other tar knows',
};

/** Told of the text of each file that is small enough to have one. */
export type SeeText = (path: string, text: string) => void;

export class ArchiveMembers implements TarVisitor {
  readonly list: InspectedMember[] = [];
  readonly #byPath = new Map<string, InspectedMember>();
  readonly #findings: ArchiveFindings;
  readonly #limits: ArchiveLimits;
  readonly #seeText: SeeText;
  #nameBytes = 0;
  #isOddPrefixTold = false;
  #hasLinks = false;
  #current: { readonly entry: TarEntry; readonly hash: Hash; pieces: Buffer[] } | undefined;

  constructor(findings: ArchiveFindings, limits: ArchiveLimits, seeText: SeeText) {
    this.#findings = findings;
    this.#limits = limits;
    this.#seeText = seeText;
  }

  entry = (entry: TarEntry): void => {
    const { path, bytes, kind } = entry;
    const { members, memberBytes, nameBytes } = this.#limits;
    this.#nameBytes += path.length + (entry.linkTarget?.length ?? 0);
    if (this.list.length >= members)
      throw new ArchiveLimitError(`there are more than ${members} members`);
    if (this.#nameBytes > nameBytes)
      throw new ArchiveLimitError('the paths are longer than those of any host');
    if (bytes > memberBytes) {
      throw new ArchiveLimitError(`it is larger than ${formatBytes(memberBytes)}`, path);
    }
    this.#judgePath(entry);
    const special = SPECIAL[kind];
    if (special !== undefined) this.#findings.add('special-file', `it is ${special}`, path);
    this.#current = { entry, hash: createHash('sha256'), pieces: [] };
  };

  data = (bytes: Buffer): void => {
    const { entry, hash, pieces } = this.#current!;
    hash.update(bytes);
    if (entry.bytes <= MAX_TEXT_BYTES) pieces.push(Buffer.from(bytes));
  };

  end = (): void => {
    const { entry, hash, pieces } = this.#current!;
    this.#current = undefined;
    const path = normalized(entry.path);
    const isFile = entry.kind === 'file';
    this.#keep({
      path,
      kind: entry.kind,
      bytes: entry.bytes,
      mode: entry.mode.toString(8).padStart(4, '0'),
      sha256: isFile ? hash.digest('hex') : this.#digestOfTarget(entry),
      linkTarget: entry.linkTarget,
    });
    if (isFile && entry.bytes <= MAX_TEXT_BYTES) {
      this.#seeText(path, Buffer.concat(pieces).toString('utf8'));
    }
  };

  /**
   * Finds a file the way a host would, through symbolic links.
   * @param path as in the archive
   */
  find(path: string): InspectedMember | undefined {
    let place = path;
    // As many as Linux follows (path_resolution(7)).
    for (let links = 0; links < 40; links += 1) {
      const link = this.#linkOn(place, true);
      if (link === undefined) return this.#byPath.get(place);
      const rest = place.slice(link.path.length);
      place = posix.resolve('/', posix.dirname(link.path), link.linkTarget!).slice(1) + rest;
    }
    return undefined;
  }

  /** Names the links that point out of what is archived, once it is known where that lies. */
  judgeLinks(layout: LayoutName | undefined): void {
    for (const { path, kind, linkTarget } of this.list) {
      if (kind !== 'symlink') continue;
      const isOutside = linkTarget!.startsWith('/')
        ? layout !== 'kubeadm'
        : /^\.\.(\/|$)/.test(posix.join(posix.dirname(path), linkTarget!));
      if (isOutside) this.#findings.add('link-escapes', `it is a link to ${linkTarget!}`, path);
    }
  }

  #keep(member: InspectedMember): void {
    const { path, kind } = member;
    const other = this.#byPath.get(path);
    this.list.push(member);
    this.#hasLinks ||= kind === 'symlink';
    this.#byPath.set(path, member);
    // A directory that is listed twice changes nothing.
    if (other === undefined || (kind === 'directory' && other.kind === 'directory')) return;
    this.#findings.add(
      'duplicate-member',
      'there are two members of this path: the last one wins',
      path,
    );
  }

  #digestOfTarget({ kind, path, linkTarget }: TarEntry): string | undefined {
    if (kind !== 'hard-link') return undefined;
    const target = this.#byPath.get(normalized(linkTarget!));
    if (target?.sha256 === undefined) {
      this.#findings.add(
        'hard-link-broken',
        `it is a hard link to ${linkTarget!}, which is no file before it`,
        path,
      );
    } else this.#findings.add('hard-link', `it is another name of ${linkTarget!}`, path);
    return target?.sha256;
  }

  #judgePath({ path, isUtf8 }: TarEntry): void {
    const parts = path.split('/');
    if (parts.length > MAX_DEPTH) throw new ArchiveLimitError('directories without an end', path);
    if (path.startsWith('/')) this.#findings.add('path-escapes', 'the path is absolute', path);
    if (parts.includes('..')) this.#findings.add('path-escapes', 'the path has .. in it', path);
    const link = this.#linkOn(normalized(path), false);
    if (link !== undefined) {
      this.#findings.add(
        'path-escapes',
        `it would be written through the symbolic link ${link.path}`,
        path,
      );
    }
    if (!isUtf8) this.#findings.add('path-odd', 'the path or the link is not UTF-8', path);
    const isDotted = parts[0] === '.';
    // All members have it, or none.
    if (isDotted && !this.#isOddPrefixTold) {
      this.#findings.add(
        'path-odd',
        'paths begin with ./, which cluster-restore.sh would not find',
        path,
      );
      this.#isOddPrefixTold = true;
    }
    const inner = parts.slice(isDotted ? 1 : 0, -1);
    if (!path.startsWith('/') && inner.some((part) => part === '' || part === '.')) {
      this.#findings.add('path-odd', 'the path has empty parts or dots in it', path);
    }
  }

  /** The first symbolic link on the way to a path, and at its end if that counts. */
  #linkOn(path: string, withLast: boolean): InspectedMember | undefined {
    if (!this.#hasLinks) return undefined;
    for (let slash = path.indexOf('/', 1); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      const member = this.#byPath.get(path.slice(0, slash));
      if (member?.kind === 'symlink') return member;
    }
    const last = withLast ? this.#byPath.get(path) : undefined;
    return last?.kind === 'symlink' ? last : undefined;
  }
}

/** `./a/b/` is `a/b`, which is how records name it. */
export function normalized(path: string): string {
  return path.replace(/^(\.\/+)+/, '').replace(/\/+$/, '');
}
