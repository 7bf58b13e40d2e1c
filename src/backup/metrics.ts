// What Prometheus is told of backups: the names, and a file of them in its text format, version 0.0.4, for the textfile
// collector of a node exporter (prometheus/docs, content/docs/instrumenting/exposition_formats.md).

/** A run of `backup` that has ended. */
export interface EndedRun {
  readonly began: Date;
  readonly durationMs: number;
  readonly exitCode: number;
  /** What there is of it; undefined if it ended without a backup. */
  readonly backup: TakenBackup | undefined;
}

export interface TakenBackup {
  readonly snapshotBytes: number;
  readonly resourcesBytes: number;
  /** Decimal, as in a record. */
  readonly revision: string;
}

/** In the order of the file. No name is changed once it is out: alerts are written on it. */
const METRICS = {
  etcdkeep_backup_last_attempt_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last run began, in seconds since 1970.',
  },
  etcdkeep_backup_last_success_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last run began that ended with a backup, in seconds since 1970.',
  },
  etcdkeep_backup_duration_seconds: { type: 'gauge', help: 'How long the last run took.' },
  etcdkeep_backup_last_exit_code: { type: 'gauge', help: 'What the last run ended with.' },
  etcdkeep_backup_verdict: {
    type: 'gauge',
    help: '1 if the last run ended with a backup that was proven, 0 if it did not.',
  },
  etcdkeep_backup_failures_total: {
    type: 'counter',
    help: 'Runs that ended without a backup.',
  },
  etcdkeep_backup_snapshot_bytes: {
    type: 'gauge',
    help: 'Size of the snapshot of the last backup.',
  },
  etcdkeep_backup_resources_bytes: {
    type: 'gauge',
    help: 'Size of the archive of static resources of the last backup.',
  },
  etcdkeep_backup_revision: { type: 'gauge', help: 'Revision of etcd that the last backup has.' },
} as const;

type MetricName = keyof typeof METRICS;

/** Decimal numbers, as they are in the file. */
export type BackupMetrics = Readonly<Partial<Record<MetricName, string>>>;

const NAMES = Object.keys(METRICS) as readonly MetricName[];

/** Those that are of the last backup, and stay as they were when a run ends without one. */
const OF_LAST_BACKUP = [
  'etcdkeep_backup_last_success_timestamp_seconds',
  'etcdkeep_backup_snapshot_bytes',
  'etcdkeep_backup_resources_bytes',
  'etcdkeep_backup_revision',
] as const satisfies readonly MetricName[];

/** A sample of ours has no labels, no moment, and no sign: 2^64 has twenty digits. */
const SAMPLE = /^(etcdkeep_backup_[a-z_]{1,100}) (\d{1,20}(?:\.\d{1,9})?)$/;

const COMMENT = /^# (?:HELP|TYPE) etcdkeep_backup_/;

/** What is known after a run. @param before what was known before it */
export function metricsAfter(before: BackupMetrics, run: EndedRun): BackupMetrics {
  const { backup, began, durationMs, exitCode } = run;
  const failures = before.etcdkeep_backup_failures_total ?? '0';
  const of: BackupMetrics = {
    etcdkeep_backup_last_attempt_timestamp_seconds: seconds(began.getTime()),
    etcdkeep_backup_duration_seconds: seconds(durationMs),
    etcdkeep_backup_last_exit_code: `${exitCode}`,
    etcdkeep_backup_verdict: backup === undefined ? '0' : '1',
    etcdkeep_backup_failures_total: backup === undefined ? oneMore(failures) : failures,
  };
  if (backup === undefined) {
    const kept = OF_LAST_BACKUP.map((name) => [name, before[name]] as const);
    return { ...of, ...Object.fromEntries(kept.filter(([, value]) => value !== undefined)) };
  }
  return {
    ...of,
    etcdkeep_backup_last_success_timestamp_seconds: seconds(began.getTime()),
    etcdkeep_backup_snapshot_bytes: `${backup.snapshotBytes}`,
    etcdkeep_backup_resources_bytes: `${backup.resourcesBytes}`,
    etcdkeep_backup_revision: backup.revision,
  };
}

/** The text of a file. */
export function encodeMetrics(metrics: BackupMetrics): string {
  const families = NAMES.filter((name) => metrics[name] !== undefined).map((name) => {
    const { type, help } = METRICS[name];
    return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${metrics[name]!}\n`;
  });
  return families.join('');
}

/**
 * Reads what `encodeMetrics` has written. Names that a later version may have added are passed over.
 * @returns undefined if it is no such file
 */
export function decodeMetrics(text: string): BackupMetrics | undefined {
  const metrics: Partial<Record<MetricName, string>> = {};
  for (const line of text.split('\n')) {
    if (line === '' || COMMENT.test(line)) continue;
    const [, name, value] = SAMPLE.exec(line) ?? [];
    if (name === undefined) return undefined;
    const known = NAMES.find((one) => one === name);
    if (known !== undefined) metrics[known] = value!;
  }
  return metrics;
}

/** To the millisecond. */
function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3);
}

/** What is no count begins again, as one does whose file was removed. */
function oneMore(count: string): string {
  return /^\d{1,15}$/.test(count) ? `${Number(count) + 1}` : '1';
}
