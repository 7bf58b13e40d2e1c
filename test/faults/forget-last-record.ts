// A program: takes the last record of a member's log away, as a restore would that does not know what it is for. The log
// then begins before the snapshot that the database is of, and every version starts on it all the same.
//
//   node forget-last-record.ts DATA
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const directory = join(process.argv[2]!, 'member/wal');
const path = join(directory, readdirSync(directory).find((name) => name.endsWith('.wal'))!);
const log = readFileSync(path);

// A frame: its length in the low 56 bits of 8 bytes, what it is padded by in the 3 lowest of the highest, then itself.
let [at, last] = [0, 0];
for (;;) {
  const length = Number(log.readBigUInt64LE(at) & 0xff_ffff_ffff_ffffn);
  if (length === 0) break;
  last = at;
  at += 8 + length + (log[at + 7]! & 0x07);
}
log.fill(0, last, at);
writeFileSync(path, log);
