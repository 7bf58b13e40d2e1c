// What may be written, as bbolt itself refuses it. Who asks for more has made a mistake: RangeError.

/** bbolt, bucket.go: MaxKeySize and MaxValueSize. */
export const KEY_SIZE_MAX = 32_768;
const VALUE_SIZE_MAX = 2 ** 31 - 2;

/** What etcd's defrag fills pages to: room for what is written next (backend.go, defragdb). */
export const FILL_PERCENT = 0.9;
/** bbolt, bucket.go: minFillPercent. */
const FILL_PERCENT_MIN = 0.1;

/** @throws RangeError */
export function checkFillPercent(fillPercent: number): void {
  if (fillPercent >= FILL_PERCENT_MIN && fillPercent <= 1) return;
  throw new RangeError(`pages cannot be filled to ${fillPercent}`);
}

/** @throws RangeError */
export function checkKey(size: number): void {
  if (size === 0) throw new RangeError('a key is empty');
  if (size > KEY_SIZE_MAX) throw new RangeError(`a key is ${size} bytes long`);
}

/** @throws RangeError */
export function checkValue(size: number): void {
  if (size > VALUE_SIZE_MAX) throw new RangeError(`a value is ${size} bytes long`);
}
