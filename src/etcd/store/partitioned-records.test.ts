import { describe, expect, it } from 'vitest';
import { DATABASES, readDatabase } from '../../../test/fixtures/databases/databases.ts';
import { bytesSource } from '../../bbolt/testing.ts';
import { readStore } from './read-store.ts';
import type { StoreFinding } from './store-finding.ts';

/** What is read and found, all records at once or so many. */
async function read(bytes: Uint8Array, records: bigint, recordsAtOnce?: number) {
  const findings: StoreFinding[] = [];
  const { status, hashKV, errors, warnings } = await readStore(bytesSource(bytes), {
    hash: true,
    records,
    found: (finding) => findings.push(finding),
    ...(recordsAtOnce === undefined ? {} : { recordsAtOnce }),
  });
  const sentences = findings.map(({ rule, message }) => `${rule}: ${message}`).sort();
  return { status, hashKV, errors, warnings, sentences };
}

describe('records that are too many to be remembered at once', () => {
  it.each(DATABASES)('of the database %s are read as all at once are', async (name) => {
    const bytes = readDatabase(name);
    for (const revision of [0n, 500n]) {
      const whole = await read(bytes, revision);
      expect(await read(bytes, revision, 5)).toEqual(whole);
      expect(await read(bytes, revision, 200)).toEqual(whole);
    }
  });

  it('are told of as all at once are, where they are damaged', async () => {
    const bytes = readDatabase('tree');
    // A version, a creation and a revision of the first record of a leaf in the middle.
    const at = bytes.indexOf(Buffer.from('/registry/'), bytes.length >> 1);
    for (let offset = at + 10; offset < at + 40; offset += 1) {
      const changed = Buffer.from(bytes);
      changed[offset]! ^= 1;
      const whole = await read(changed, 0n);
      expect(await read(changed, 0n, 50)).toEqual(whole);
    }
  });
});
