// What is to be changed in a bucket, kept until it is all done at once.

import { checkKey, checkValue } from './write-limits.ts';

export type Change =
  | { readonly kind: 'put'; readonly value: Uint8Array }
  | { readonly kind: 'delete' }
  /** A bucket that is changed, or made if it is not there. */
  | { readonly kind: 'bucket'; readonly edit: BucketEdit }
  | { readonly kind: 'delete-bucket' };

/** A change, and the key that it is about. */
export interface KeyChange {
  readonly key: Uint8Array;
  readonly change: Change;
}

export class BucketEdit {
  /** By key as latin1. */
  readonly #changes = new Map<string, KeyChange>();
  #isCleared = false;

  /** Whether nothing of what the bucket has is kept. */
  get isCleared(): boolean {
    return this.#isCleared;
  }

  /** In the order of the keys. */
  get changes(): readonly KeyChange[] {
    // UTF-16 units of latin1 are the bytes.
    return [...this.#changes]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, change]) => change);
  }

  /**
   * Sets the value of a key. Both are copied.
   * @throws RangeError if the key is empty or too long, or the value is too long
   */
  put(key: Uint8Array, value: Uint8Array): this {
    checkValue(value.length);
    return this.#set(key, { kind: 'put', value: value.slice() });
  }

  /** Removes a key; it need not be there. @throws RangeError */
  delete(key: Uint8Array): this {
    return this.#set(key, { kind: 'delete' });
  }

  /** Removes everything that the bucket has, buckets too; what is put from now on stays. */
  clear(): this {
    this.#changes.clear();
    this.#isCleared = true;
    return this;
  }

  /**
   * The changes of a bucket in this one, which is made if it is not there.
   * @throws RangeError
   */
  bucket(name: Uint8Array): BucketEdit {
    const before = this.#changes.get(textOf(name))?.change;
    if (before?.kind === 'bucket') return before.edit;
    const edit = new BucketEdit();
    if (before?.kind === 'delete-bucket') edit.clear();
    this.#set(name, { kind: 'bucket', edit });
    return edit;
  }

  /** Removes a bucket with all that is in it; it need not be there. @throws RangeError */
  deleteBucket(name: Uint8Array): this {
    return this.#set(name, { kind: 'delete-bucket' });
  }

  #set(key: Uint8Array, change: Change): this {
    checkKey(key.length);
    const before = this.#changes.get(textOf(key))?.change;
    if (before !== undefined && isAboutBucket(before) !== isAboutBucket(change)) {
      throw new RangeError(`${JSON.stringify(textOf(key))} is changed as a key and as a bucket`);
    }
    this.#changes.set(textOf(key), { key: key.slice(), change });
    return this;
  }
}

export function isAboutBucket({ kind }: Change): boolean {
  return kind === 'bucket' || kind === 'delete-bucket';
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}
