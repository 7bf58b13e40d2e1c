// How much a drill writes, counted before it does.

/** etcd makes its log in pieces of so many bytes, and always the next one as well (server/storage/wal/wal.go). */
const LOG_BYTES = 2 * 64_000_000;
/** Of each member: what a database grows by at once (bbolt, AllocSize), its own log, and what is written for a try. */
const SPARE_BYTES = 48e6;

/**
 * The most that is there at once: a member that is defragmented has its database twice; the second member comes after.
 * @param databaseBytes of the snapshot
 * @param members that are started; 0 if the database is restored and not more
 */
export function spaceForDrill(databaseBytes: number, members: 0 | 2): number {
  if (members === 0) return databaseBytes + LOG_BYTES / 2 + SPARE_BYTES;
  return members * (databaseBytes + LOG_BYTES + SPARE_BYTES);
}
