// The record beside a backup, `backup_<stamp>.json`. Its appearance is what makes the files of a
// stamp a backup, so it comes last and comes whole.

import { readSmallFile, writeFileAtomically } from '../base/durable-files.ts';
import { EtcdkeepError } from '../base/errors.ts';
import { type BackupRecord, recordSchema } from './schema.ts';

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
 * Writes a record with mode 0600; a reader sees all of it or none, also after a power cut.
 * @param options.replace to put a record with another verdict in place of the one that is there
 * @throws EtcdkeepError `target-exists`, `target-unwritable`, `disk-full`, `file-failed`
 */
export async function writeRecord(
  path: string,
  record: BackupRecord,
  options: { readonly replace?: boolean } = {},
): Promise<void> {
  await writeFileAtomically(path, encodeRecord(record), options);
}

/**
 * Reads a record.
 * @throws EtcdkeepError `record-invalid`, `file-failed`
 */
export async function readRecord(path: string): Promise<BackupRecord> {
  const bytes = await readSmallFile(path, 'read the record', MAX_RECORD_BYTES);
  return decodeRecord(bytes.toString('utf8'), path);
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
