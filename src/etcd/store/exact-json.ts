// JSON as etcd's Go writes it, with its 64-bit ids as they are: JSON.parse alone rounds them to 53 bits.

export type Json = null | boolean | number | bigint | string | Json[] | { [name: string]: Json };

/** etcd's own are a few hundred bytes long. */
const JSON_SIZE_MAX = 1024 * 1024;

type Reviver = (name: string, value: Json, context: { readonly source?: string }) => Json;

/** Whole numbers become bigints. */
const exact: Reviver = (_, value, { source }) =>
  typeof value === 'number' && source !== undefined && /^-?\d+$/.test(source)
    ? BigInt(source)
    : value;

/** @returns the object, or undefined if the bytes are none */
export function parseObject(bytes: Uint8Array): Readonly<Record<string, Json>> | undefined {
  if (bytes.length > JSON_SIZE_MAX) return undefined;
  let value: Json;
  try {
    // The third argument of a reviver (ES2026, JSON.parse source text access) has no type yet.
    value = JSON.parse(Buffer.from(bytes).toString(), exact as (name: string) => unknown) as Json;
  } catch {
    return undefined;
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}

/** @returns the ids, none where there is no list, or undefined if it is no list of ids of 64 bits */
export function idList(value: Json | undefined): readonly bigint[] | undefined {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) && value.every(isId) ? value : undefined;
}

/** @returns the texts, none where there is no list, or undefined if it is no list of texts */
export function textList(value: Json | undefined): readonly string[] | undefined {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
    ? value
    : undefined;
}

export function isId(value: Json | undefined): value is bigint {
  return typeof value === 'bigint' && value >= 0n && value < 1n << 64n;
}
