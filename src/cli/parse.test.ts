import { describe, expect, it } from 'vitest';
import { parseBoolean, parseBytes, parseDuration } from './parse.ts';

describe('a duration', () => {
  it.each([
    ['300ms', 300],
    ['5s', 5000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['2h0m1s', 7_201_000],
    ['0.5s', 500],
    ['1000h', 2 ** 31 - 1],
    [`${'9'.repeat(400)}h`, 2 ** 31 - 1],
  ])('%s', (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));

  it.each(['', '5', '0s', '-5s', '5 s', '5d', 's', '1m30', '5sx', '1e3s', '٣s'])(
    '"%s" is none',
    (text) => expect(() => parseDuration(text)).toThrow(`"${text}" is not a duration such as`),
  );
});

describe('a size', () => {
  it.each([
    ['1', 1],
    ['800000', 800_000],
    ['50MB', 50_000_000],
    ['50 MB', 50_000_000],
    ['64MiB', 67_108_864],
    ['1.5GiB', 1_610_612_736],
    ['2kB', 2000],
    ['2KB', 2000],
    ['2KiB', 2048],
    ['7B', 7],
    ['0.5kB', 500],
    ['1GB', 1e9],
  ])('%s', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  it.each([
    '',
    '0',
    '-1',
    '0.5',
    '5mb',
    '5M',
    'MB',
    '1,5MB',
    'constructor',
    '1e9',
    'Infinity',
    '9'.repeat(400),
  ])('"%s" is none', (text) =>
    expect(() => parseBytes(text)).toThrow(`"${text}" is not a size such as`),
  );
});

// What Go's strconv.ParseBool takes, and a little more.
describe('a boolean', () => {
  it.each(['1', 't', 'T', 'true', 'True', 'TRUE'])('%s', (text) =>
    expect(parseBoolean(text)).toBe(true),
  );
  it.each(['0', 'f', 'F', 'false', 'False', 'FALSE'])('%s', (text) =>
    expect(parseBoolean(text)).toBe(false),
  );
  it.each(['', 'yes', 'no', '2', 'truee'])('"%s" is none', (text) =>
    expect(() => parseBoolean(text)).toThrow('is not true or false'),
  );
});
