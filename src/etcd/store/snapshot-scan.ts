// Follows a snapshot as it streams in, so that at its end little is left to read: the pages are
// summarised on the way, and the tree is walked once they are all on the disk.

import type { AlignedMemory } from '../../base/aligned-memory.ts';
import { Crc32c } from '../../base/crc32c.ts';
import { pageSizeOfHead, readMeta } from '../../bbolt/meta.ts';
import { PageScan } from '../../bbolt/page-scan.ts';
import type { PageSource } from '../../bbolt/page-source.ts';
import { walkTree } from '../../bbolt/walk.ts';
import type { DatabaseStatus } from './database-status.ts';
import { PageSummaries } from './page-summaries.ts';
import { readStoreFacts } from './store-facts.ts';
import { StoreVisitor } from './store-visitor.ts';

export class SnapshotScan {
  readonly #totalBytes: number;
  readonly #memory: AlignedMemory;
  readonly #crc32c: Crc32c;
  #isBegun = false;
  /** None of them if the first meta page is damaged: then the walk reads everything. */
  #scan: PageScan | undefined;
  #summaries: PageSummaries | undefined;
  #pageSize = 0;

  /**
   * @param totalBytes size of the database
   * @param memory that the chunks lie in
   */
  constructor(totalBytes: number, memory: AlignedMemory) {
    this.#totalBytes = totalBytes;
    this.#memory = memory;
    this.#crc32c = new Crc32c(memory);
  }

  /**
   * Takes the next bytes of the database, in the order of the file.
   * @param offset of the chunk in the memory; it is free again when this returns
   */
  push(offset: number, length: number): void {
    if (!this.#isBegun) this.#begin(this.#memory.view(offset, length));
    this.#scan?.push(offset, length);
  }

  #begin(head: Uint8Array): void {
    this.#isBegun = true;
    const pageSize = pageSizeOfHead(head);
    if (pageSize === undefined) return;
    const pages = Math.floor(this.#totalBytes / pageSize);
    this.#pageSize = pageSize;
    this.#summaries = new PageSummaries(pageSize, pages, { crc32c: this.#crc32c });
    this.#scan = new PageScan(this.#memory, pageSize, pages, this.#summaries);
  }

  /**
   * Walks the tree.
   * @param source the same bytes, where they can be read again
   * @throws EtcdkeepError `database-damaged`, `file-failed`
   */
  async finish(source: PageSource): Promise<DatabaseStatus> {
    const meta = await readMeta(source);
    const facts = await readStoreFacts(source, meta);
    const summaries = meta.pageSize === this.#pageSize ? this.#summaries : undefined;
    const visitor = new StoreVisitor({ facts, summaries, crc32c: this.#crc32c });
    const { size: pagesReachable } = await walkTree(source, meta, visitor, { scanned: visitor });
    const { pageSize, pages, txid } = meta;
    const totalSize = pages * pageSize;
    return { ...facts, ...visitor.totals(), pageSize, pages, pagesReachable, totalSize, txid };
  }
}
