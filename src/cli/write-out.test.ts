import { describe, expect, it } from 'vitest';
import { humanizedBytes, writeOut } from './write-out.ts';

// As etcdutl 3.7.3 prints it of a snapshot.
const VALUES = [
  { name: 'hash', field: 'Hash', heading: 'HASH', value: 1047280759, shown: '3e6c3c77' },
  { name: 'revision', field: 'Revision', heading: 'REVISION', value: 962n },
  { name: 'totalKey', field: 'Keys', heading: 'TOTAL KEYS', value: 484 },
  { name: 'totalSize', field: 'Size', heading: 'TOTAL SIZE', value: 819200, shown: '819 kB' },
  { name: 'version', field: 'Version', heading: 'VERSION', value: '3.6.0' },
];

describe('writeOut', () => {
  it.each([
    ['simple', '3e6c3c77, 962, 484, 819 kB, 3.6.0'],
    [
      'json',
      '{"hash":1047280759,"revision":962,"totalKey":484,"totalSize":819200,"version":"3.6.0"}',
    ],
    [
      'fields',
      '"Hash" : 1047280759\n"Revision" : 962\n"Keys" : 484\n"Size" : 819200\n"Version" : 3.6.0',
    ],
    [
      'table',
      [
        '┌──────────┬──────────┬────────────┬────────────┬─────────┐',
        '│   HASH   │ REVISION │ TOTAL KEYS │ TOTAL SIZE │ VERSION │',
        '├──────────┼──────────┼────────────┼────────────┼─────────┤',
        '│ 3e6c3c77 │      962 │        484 │     819 kB │   3.6.0 │',
        '└──────────┴──────────┴────────────┴────────────┴─────────┘',
      ].join('\n'),
    ],
    ['yaml', 'hash: 1047280759\nrevision: 962\ntotalKey: 484\ntotalSize: 819200\nversion: "3.6.0"'],
  ] as const)('%s', (format, text) => expect(writeOut(VALUES, format)).toBe(text));

  it('a revision beyond 2^53 is exact', () => {
    const value = 9_007_199_254_740_993n;
    const one = { name: 'revision', field: 'Revision', heading: 'REVISION', value };
    expect(writeOut([one], 'json')).toBe('{"revision":9007199254740993}');
  });
});

// What go-humanize prints.
describe('humanizedBytes', () => {
  it.each([
    [0, '0 B'],
    [9, '9 B'],
    [10, '10 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [9949, '9.9 kB'],
    [9950, '10 kB'],
    [20_480, '20 kB'],
    [819_200, '819 kB'],
    [1_282_764_800, '1.3 GB'],
    [12_827_648_000, '13 GB'],
  ])('%i is %s', (bytes, text) => expect(humanizedBytes(bytes)).toBe(text));
});
