// What is found wrong in a data directory.

/** The stable name of a rule that a data directory breaks. */
export type DirectoryRule =
  /** The files of the log. */
  | 'wal'
  /** What the log says. */
  | 'log'
  /** The snapshots of the state: .snap files, and what the log tells of them. */
  | 'snapshot'
  | 'database'
  /** Which entries of the log the database has. */
  | 'consistent-index'
  | 'members'
  | 'version';

export interface DirectoryFinding {
  readonly rule: DirectoryRule;
  /** `error`: etcd does not start on it, or loses data. `warning`: it is worth to know, and etcd works with it. */
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly advice: string;
}

export function directoryError(
  rule: DirectoryRule,
  message: string,
  advice: string,
): DirectoryFinding {
  return { rule, severity: 'error', message, advice };
}

export function directoryWarning(
  rule: DirectoryRule,
  message: string,
  advice: string,
): DirectoryFinding {
  return { rule, severity: 'warning', message, advice };
}
