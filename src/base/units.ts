// How numbers are shown to a person. JSON carries exact ones; nothing parses these.

const PREFIXES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes in SI units with three significant digits: `1.28 GB`, `24.6 kB`, `512 B`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let prefix = 0;
  // 999.5 would be shown as 1000 of the smaller unit.
  while (value >= 999.5 && prefix < PREFIXES.length - 1) {
    value /= 1000;
    prefix += 1;
  }
  const digits = prefix === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${PREFIXES[prefix]!}`;
}

/** A count with thousands separators: `211,184`. */
export function formatCount(count: number | bigint): string {
  return count.toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A span of time as a clock shows it, rounded up: `0:03`, `12:40`, `1:02:09`. */
export function formatClock(milliseconds: number): string {
  const total = Math.ceil(milliseconds / 1000);
  const pad = (part: number): string => part.toString().padStart(2, '0');
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours > 0
    ? `${hours}:${pad(minutes)}:${pad(total % 60)}`
    : `${minutes}:${pad(total % 60)}`;
}

const SPANS: readonly (readonly [milliseconds: number, noun: string])[] = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1000, 'second'],
];

/** A span of time in its largest whole unit: `3 days`, `1 hour`, `0 seconds`. */
export function formatSpan(milliseconds: number): string {
  const size = Math.abs(milliseconds);
  const [unit, noun] = SPANS.find(([span]) => size >= span) ?? SPANS.at(-1)!;
  const count = Math.floor(size / unit);
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A moment to the minute: `2026-11-20 04:12 UTC`. */
export function formatMoment(moment: Date): string {
  return `${moment.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
