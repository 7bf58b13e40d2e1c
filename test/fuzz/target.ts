// What is fuzzed: a way to make inputs out of good ones, and a reader of them that says how each was taken.
import { EtcdkeepError } from '../../src/base/errors.ts';
import type { Random } from '../fixtures/random.ts';

export interface Target {
  readonly name: string;
  /** Share of the inputs of a run, of the sum of all weights. */
  readonly weight: number;
  /** Makes an input: a good one, changed. */
  make(random: Random): Uint8Array;
  /**
   * Reads an input in every way there is.
   * @returns how it was taken: `read`, or the code that it was refused with
   * @throws Fault, and whatever the reader should not throw
   */
  run(input: Uint8Array, random: Random): string | Promise<string>;
}

/** An input was taken as it should not be. */
export class Fault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Fault';
  }
}

/** @throws Fault unless it holds */
export function demand(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Fault(message);
}

/** The code of an error that a reader may throw; any other is thrown on. */
export function expectedCode(reason: unknown, codes: readonly string[]): string {
  if (reason instanceof EtcdkeepError && codes.includes(reason.code)) return reason.code;
  throw reason;
}

/** What a call gives, or the code of the error that it may throw. */
export async function attempt<T>(
  call: () => T | Promise<T>,
  ...codes: readonly string[]
): Promise<{ readonly value: T } | { readonly code: string; readonly message: string }> {
  try {
    return { value: await call() };
  } catch (reason) {
    return { code: expectedCode(reason, codes), message: (reason as Error).message };
  }
}

/** Text that shows values apart which are not equal, whatever they are made of. */
export function show(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, each: unknown) {
    // Before a buffer has made an object of itself.
    const raw = this[key];
    if (raw instanceof Uint8Array) return Buffer.from(raw).toString('hex');
    return typeof each === 'bigint' ? `${each}n` : each;
  });
}
