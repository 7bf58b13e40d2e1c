// The record beside a backup, `backup_<stamp>.json`. Its appearance is what makes the files of a
// stamp a backup, so it comes last and comes whole.

import { readSmallFile, writeFileAtomically } from '../base/durable-files.ts';
import { EtcdkeepError } from '../base/errors.ts';
import { type BackupRecord, recordSchema, type Verdict } from './schema.ts';

/** Some 300 bytes for each file of the archive; a record is far below this. */
const MAX_RECORD_BYTES = 64 << 20;

/** The text of a record. Only what the schema names gets into it. */
export function encodeRecord(record: BackupRecord): string {
  return `${JSON.stringify(recordSchema.parse(record), null, 2)}\n`;
}

/**
 * Parses the text of a record; fields that the schema does not name are ignored.
 * @param path where it comes from, for errors
 * @throws EtcdkeepError `record-invalid`
 */
export function decodeRecord(text: string, path: string): BackupRecord {
  const parsed = recordSchema.safeParse(parseJson(text, path));
  if (parsed.success) return parsed.data;
  const { message, path: field } = parsed.error.issues[0]!;
  throw notARecord(`at ${field.join('.') || 'its top'}: ${message}`, path);
}

/**
 * Adds a verdict to a record, and leaves all else of it as it is, also what only a later version knows. A reader sees
 * the record before or after, also after a power cut; it stays its owner's.
 * @throws EtcdkeepError `record-invalid`, `target-unwritable`, `disk-full`, `file-failed`
 */
export async function addVerdict(path: string, verdict: Verdict): Promise<void> {
  const text = await readText(path);
  const { verdicts } = decodeRecord(text, path);
  const record: object = JSON.parse(text) as object;
  const judged = { ...record, verdicts: [...verdicts, verdict] };
  await writeFileAtomically(path, `${JSON.stringify(judged, null, 2)}\n`, { replace: true });
}

/**
 * Reads a record.
 * @throws EtcdkeepError `record-invalid`, `file-failed`
 */
export async function readRecord(path: string): Promise<BackupRecord> {
  return decodeRecord(await readText(path), path);
}

async function readText(path: string): Promise<string> {
  const bytes = await readSmallFile(path, 'read the record', MAX_RECORD_BYTES);
  return bytes.toString('utf8');
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (reason) {
    throw notARecord('it is not JSON', path, reason);
  }
}

function notARecord(why: string, path: string, cause?: unknown): EtcdkeepError {
  return new EtcdkeepError('record-invalid', `this is not a record of a backup: ${why}`, {
    path,
    ...(cause === undefined ? {} : { cause }),
  });
}
