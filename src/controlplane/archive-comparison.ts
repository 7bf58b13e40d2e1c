// An archive beside what a record says of it: which files are missing, which are more, which are others.

import type { ArchiveMember } from './archive.ts';
import type { ArchiveInspection } from './archive-inspection.ts';

/** What a record says of an archive (record/schema.ts, resources). */
export interface RecordedArchive {
  readonly bytes: number;
  readonly sha256: string;
  readonly members: readonly ArchiveMember[];
}

export interface ChangedMember {
  readonly path: string;
  readonly what: readonly ('bytes' | 'mode' | 'sha256')[];
}

export interface ArchiveComparison {
  /** Whether the archive is, byte by byte, the one that was recorded. */
  readonly isSameFile: boolean;
  /** Paths that the record names and that are no files of the archive, in the order of the record. */
  readonly missing: readonly string[];
  /** Files that the record does not name, in the order of the archive. */
  readonly extra: readonly string[];
  readonly changed: readonly ChangedMember[];
}

/** Compares files: directories and links are not recorded. Of two members of one path the last one counts. */
export function compareArchive(
  { bytes, sha256, members }: Pick<ArchiveInspection, 'bytes' | 'sha256' | 'members'>,
  recorded: RecordedArchive,
): ArchiveComparison {
  const files = members.filter((member) => member.sha256 !== undefined);
  const found = new Map(files.map((member) => [member.path, member]));
  const named = new Set(recorded.members.map(({ path }) => path));
  return {
    isSameFile: bytes === recorded.bytes && sha256 === recorded.sha256,
    missing: [...named].filter((path) => !found.has(path)),
    extra: [...found.keys()].filter((path) => !named.has(path)),
    changed: recorded.members.flatMap((member) => {
      const other = found.get(member.path);
      const what = (['bytes', 'mode', 'sha256'] as const).filter(
        (field) => other !== undefined && other[field] !== member[field],
      );
      return what.length === 0 ? [] : [{ path: member.path, what }];
    }),
  };
}
