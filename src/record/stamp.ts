// The stamp that the files of one backup share, and the names that are made of it.

/** Names of the files of one backup. */
export interface BackupFiles {
  readonly snapshot: string;
  readonly resources: string;
  readonly record: string;
}

/** A moment in local time, as `date "+%F_%H%M%S"` shows it: `2026-11-23_145301`. */
export function stampOf(moment: Date): string {
  const pad = (part: number, digits = 2): string => part.toString().padStart(digits, '0');
  const date = [pad(moment.getFullYear(), 4), pad(moment.getMonth() + 1), pad(moment.getDate())];
  const time = [pad(moment.getHours()), pad(moment.getMinutes()), pad(moment.getSeconds())];
  return `${date.join('-')}_${time.join('')}`;
}

/** The moment of a stamp, taken for a local time of this machine: of the host it was, no more is known. */
export function momentOfStamp(stamp: string): Date {
  const [year, month, day, hours, minutes, seconds] = stamp
    .match(/^(\d{4})-(\d\d)-(\d\d)_(\d\d)(\d\d)(\d\d)$/)!
    .slice(1)
    .map(Number) as [number, number, number, number, number, number];
  return new Date(year, month - 1, day, hours, minutes, seconds);
}

/**
 * The names for one stamp. cluster-restore.sh takes the last of `snapshot*.db` and of
 * `static_kuberesources*.tar.gz`, each for itself: no other file may have a name like those.
 */
export function backupFiles(
  stamp: string,
  { possiblyDirty = false }: { readonly possiblyDirty?: boolean } = {},
): BackupFiles {
  const label = `${stamp}${possiblyDirty ? POSSIBLY_DIRTY : ''}`;
  return {
    snapshot: `snapshot_${label}.db`,
    resources: `static_kuberesources_${label}.tar.gz`,
    record: `backup_${label}.json`,
  };
}

/** What OpenShift's script puts behind the stamp when it was told not to check (cluster-backup.sh, --force). */
const POSSIBLY_DIRTY = '__POSSIBLY_DIRTY__';

/** The names of all files of the backup that a file belongs to, or undefined if it belongs to none. */
export function filesBeside(name: string): BackupFiles | undefined {
  const stamp = stampOfFile(name);
  if (stamp === undefined) return undefined;
  return backupFiles(stamp, { possiblyDirty: name.includes(POSSIBLY_DIRTY) });
}

const STAMPED = /^(?:snapshot|static_kuberesources|backup)_(\d{4}-\d\d-\d\d_\d{6})(?=[_.])/;

/** The stamp in the name of a backup's file, else undefined. */
export function stampOfFile(name: string): string | undefined {
  return STAMPED.exec(name)?.[1];
}
