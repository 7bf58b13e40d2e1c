// Words of the command line and of environment variables, as values.

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** 24 days. Node's timers hold no more: what is given more fires at once (nodejs.org/api/timers.html, setTimeout). */
const TIMER_MAX_MS = 2 ** 31 - 1;

/**
 * Parses a duration as etcdctl takes it: Go's `300ms`, `5s`, `1m30s`, `1.5h`.
 * @returns milliseconds, more than 0; what is longer than a timer can be is as long as one can be
 * @throws SyntaxError
 */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const total = parts.reduce((sum, part) => sum + Number(part[1]) * DURATION_UNITS[part[2]!]!, 0);
  if (parts.map((part) => part[0]).join('') !== text || total <= 0) {
    throw new SyntaxError(`"${text}" is not a duration such as 300ms, 5s or 1m30s`);
  }
  return Math.min(total, TIMER_MAX_MS);
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/**
 * Parses a number of bytes: `50MB`, `1.5GiB`, `800000`.
 * @throws SyntaxError
 */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text);
  const bytes = Math.floor(Number(match?.[1]) * (SIZE_UNITS[match?.[2] ?? ''] ?? Number.NaN));
  if (!(bytes >= 1 && bytes <= Number.MAX_SAFE_INTEGER))
    throw new SyntaxError(`"${text}" is not a size such as 50MB or 64MiB`);
  return bytes;
}

/**
 * Parses a count: `0`, `100`.
 * @throws SyntaxError
 */
export function parseCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new SyntaxError(`"${text}" is not a count such as 100`);
}

/**
 * Parses a revision: a number of 63 bits.
 * @throws SyntaxError
 */
export function parseRevision(text: string): bigint {
  if (/^\d{1,19}$/.test(text) && BigInt(text) < 2n ** 63n) return BigInt(text);
  throw new SyntaxError(`"${text}" is not a revision`);
}

/**
 * Parses a boolean as Go's flag package does, for environment variables.
 * @throws SyntaxError
 */
export function parseBoolean(text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw new SyntaxError(`"${text}" is not true or false`);
}
