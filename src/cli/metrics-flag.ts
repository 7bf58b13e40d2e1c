// The flag that has a run of `backup` told to Prometheus, however the run ends.

import type { TakenBackup } from '../backup/metrics.ts';
import { EtcdkeepError } from '../base/errors.ts';
import type { BackupRecord } from '../record/schema.ts';
import type { CommandContext } from './context.ts';
import { exitCodeOf } from './exit-code.ts';
import type { Screen } from './screen.ts';

export interface MetricsFlags {
  readonly metricsFile?: string;
}

export const METRICS_FLAG = {
  metricsFile: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'file',
    brief: "how the run ended, for the node exporter's textfile collector: NAME.prom",
  },
} as const;

/**
 * Runs a backup, and writes down how it ended. A file that cannot be written is a warning: the backup is as good
 * without it, and whoever watches the file sees it grow old.
 * @throws what the backup throws
 */
export async function withMetrics(
  context: CommandContext,
  { metricsFile }: MetricsFlags,
  screen: Screen,
  take: () => Promise<BackupRecord>,
): Promise<void> {
  const began = context.now();
  const start = performance.now();
  const tell = async (exitCode: number, backup?: TakenBackup): Promise<void> => {
    if (metricsFile === undefined) return;
    const durationMs = performance.now() - start;
    // Loaded here, so that no other command, and not --help, waits for it.
    const { updateMetricsFile } = await import('../backup/metrics-file.ts');
    try {
      await updateMetricsFile(metricsFile, { began, durationMs, exitCode, backup });
    } catch (reason) {
      if (!(reason instanceof EtcdkeepError)) throw reason;
      screen.warn(`${metricsFile} does not tell of this run: ${reason.message}`);
    }
  };
  let record: BackupRecord;
  try {
    record = await take();
  } catch (reason) {
    await tell(exitCodeOf(reason));
    throw reason;
  }
  const { snapshot, resources } = record;
  await tell(0, {
    snapshotBytes: snapshot.bytes,
    resourcesBytes: resources.bytes,
    revision: snapshot.revision,
  });
}
