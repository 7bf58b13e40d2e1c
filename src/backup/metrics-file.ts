// The file of metrics: what it said before a run is kept where it still holds, and is replaced in one step.

import { dirname } from 'node:path';
import { readSmallFile, writeFileAtomically } from '../base/durable-files.ts';
import { EtcdkeepError, systemCodeOf } from '../base/errors.ts';
import {
  type BackupMetrics,
  decodeMetrics,
  type EndedRun,
  encodeMetrics,
  metricsAfter,
} from './metrics.ts';
import { sweepStaging } from './staging.ts';

/** A file of ours has 2 kB. */
const MAX_BYTES = 64 << 10;

/** Whoever collects them is not root. */
const MODE = 0o644;

/**
 * Adds a run to a file of metrics, which is made if there is none. A file of somebody else's is left as it is.
 * @throws EtcdkeepError `target-exists`, `target-unwritable`, `disk-full`, `file-failed`; the file is as it was
 */
export async function updateMetricsFile(path: string, run: EndedRun): Promise<void> {
  const text = encodeMetrics(metricsAfter(await readMetrics(path), run));
  const directory = dirname(path);
  // What a run has left that was killed just here.
  await sweepStaging({ directory, resources: directory });
  await writeFileAtomically(path, text, { replace: true, mode: MODE });
}

async function readMetrics(path: string): Promise<BackupMetrics> {
  let bytes: Buffer;
  try {
    bytes = await readSmallFile(path, 'read the metrics of earlier runs', MAX_BYTES);
  } catch (reason) {
    if (reason instanceof EtcdkeepError && systemCodeOf(reason.cause) === 'ENOENT') return {};
    throw reason;
  }
  const metrics = decodeMetrics(bytes.toString('utf8'));
  if (metrics !== undefined) return metrics;
  throw new EtcdkeepError(
    'target-exists',
    'the file holds something else than metrics of backups',
    {
      path,
      advice: 'name another file with --metrics-file, or remove this one',
    },
  );
}
