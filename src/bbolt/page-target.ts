// Where pages are written to: a file, or memory.

export interface PageTarget {
  /**
   * Writes bytes at an offset. They are the caller's again once this has returned, or its promise is
   * settled; the next write comes after that.
   * @returns a promise only where the bytes could not be taken at once
   * @throws EtcdkeepError of the target's own
   */
  write(bytes: Uint8Array, offset: number): undefined | Promise<void>;
}
