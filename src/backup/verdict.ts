// What a proof came to, and its way into the record of the backup.

import { EtcdkeepError } from '../base/errors.ts';
import { addVerdict } from '../record/record.ts';
import type { Verdict } from '../record/schema.ts';
import type { StoredBackup } from '../record/stored-backup.ts';

/** `unproven`: nothing is wrong, and something could not be looked at, or has nothing to be compared with. */
export type VerdictResult = Verdict['result'];

/** Whether a verdict is in the record, or why not. */
export type Recorded = true | 'no record' | EtcdkeepError;

/** Adds a verdict to the record where there is one that can be written; that it cannot is no error. */
export async function recordVerdict(
  { record, recordPath }: StoredBackup,
  verdict: Verdict,
): Promise<Recorded> {
  if (record === undefined || recordPath === undefined) return 'no record';
  try {
    await addVerdict(recordPath, verdict);
    return true;
  } catch (reason) {
    if (reason instanceof EtcdkeepError) return reason;
    throw reason;
  }
}
