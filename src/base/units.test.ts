import { describe, expect, it } from 'vitest';
import { formatBytes, formatClock, formatCount, formatMoment, formatSpan } from './units.ts';

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [24_608, '24.6 kB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [1_282_764_800, '1.28 GB'],
    [9_995_000_000, '10.0 GB'],
  ])('shows %d as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('formatCount', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [287_280, '287,280'],
    [9007199254740993n, '9,007,199,254,740,993'],
  ])('shows %s as %s', (count, text) => expect(formatCount(count)).toBe(text));
});

describe('formatClock', () => {
  it.each([
    [0, '0:00'],
    [1, '0:01'],
    [2100, '0:03'],
    [760_000, '12:40'],
    [3_729_000, '1:02:09'],
  ])('shows %d ms as %s', (span, text) => expect(formatClock(span)).toBe(text));
});

describe('formatSpan', () => {
  it.each([
    [400, '0 seconds'],
    [-1000, '1 second'],
    [3_600_000, '1 hour'],
    [3 * 86_400_000 + 5, '3 days'],
  ])('shows %d ms as %s', (span, text) => expect(formatSpan(span)).toBe(text));
});

describe('formatMoment', () => {
  it('shows UTC to the minute', () =>
    expect(formatMoment(new Date('2026-11-20T04:12:59Z'))).toBe('2026-11-20 04:12 UTC'));
});
