// Where pages are read from: a file, or one day an object in a store that is read by range.

/** A database, or the front of a file that holds one, that can be read at any offset. */
export interface PageSource {
  /** Bytes that can be read. */
  readonly size: number;
  /**
   * Fills `into` with the bytes at an offset; the two lie within the size.
   * @returns a promise only where the bytes are not there at once: a walk over a file of a million
   * pages would spend most of its time awaiting promises that are settled already
   * @throws EtcdkeepError `file-failed`
   */
  read(into: Uint8Array, offset: number): undefined | Promise<void>;
}
