// Changes an existing database the way bbolt does: what is changed is written to new pages at the high water
// mark, up to the root, and then both metas. No page that is in use is overwritten, so that until then the
// database is what it was. What is read and kept is the way to each change.
//
//   const edit = await DatabaseEdit.open(source);
//   edit.bucket(name).put(key, value);
//   await edit.commit(target);

import { BucketEdit } from './bucket-edit.ts';
import { META_OFFSET, type Meta, readMeta } from './meta.ts';
import { metaPages, type WrittenDatabase } from './meta-pages.ts';
import { PageAllocator } from './page-allocator.ts';
import { viewOf } from './page-image.ts';
import { PageReader } from './page-reader.ts';
import type { PageSource } from './page-source.ts';
import type { PageTarget } from './page-target.ts';
import { TreeEdit } from './tree-edit.ts';
import { checkFillPercent, FILL_PERCENT } from './write-limits.ts';

/** Of the root bucket's sequence number in the meta. */
const SEQUENCE_OFFSET = META_OFFSET + 24;

export interface EditOptions {
  /** Share of a page that is filled where more are needed; 0.9 if left out. */
  readonly fillPercent?: number;
}

export class DatabaseEdit {
  readonly #source: PageSource;
  readonly #meta: Meta;
  readonly #fillPercent: number;
  readonly #root = new BucketEdit();

  private constructor(source: PageSource, meta: Meta, fillPercent: number) {
    this.#source = source;
    this.#meta = meta;
    this.#fillPercent = fillPercent;
  }

  /** @throws EtcdkeepError `database-damaged`, `file-failed` */
  static async open(
    source: PageSource,
    { fillPercent = FILL_PERCENT }: EditOptions = {},
  ): Promise<DatabaseEdit> {
    checkFillPercent(fillPercent);
    return new DatabaseEdit(source, await readMeta(source), fillPercent);
  }

  /** The changes of a bucket, which is made if it is not there. */
  bucket(name: Uint8Array): BucketEdit {
    return this.#root.bucket(name);
  }

  /** Removes a bucket with all that is in it; it need not be there. */
  deleteBucket(name: Uint8Array): this {
    this.#root.deleteBucket(name);
    return this;
  }

  /**
   * Makes all changes. The metas are written last, as a snapshot has them: both of the new root, with
   * higher transaction ids, and without a freelist.
   * @param target the same bytes as the source, to be written at any offset; the file ends behind the last
   * page, or where it did before
   * @throws EtcdkeepError `database-damaged` if a page on the way is not sound, or a key is a bucket or the
   * other way round; `file-failed`, and the target's own
   */
  async commit(target: PageTarget): Promise<WrittenDatabase> {
    const { page, pageSize, root, txid } = this.#meta;
    const pages = new PageAllocator(target, pageSize, this.#meta.pages);
    const reader = new PageReader(this.#source, this.#meta);
    const tree = new TreeEdit(reader, pages, this.#fillPercent);
    const sequence = new Uint8Array(8);
    await this.#source.read(sequence, page * pageSize + SEQUENCE_OFFSET);
    const written = {
      pageSize,
      root: await tree.editRoot(root, page, this.#root),
      pages: pages.end,
      txid: BigInt.asUintN(64, txid + 2n),
    };
    await target.write(metaPages(written, viewOf(sequence).getBigUint64(0, true)), 0);
    return { ...written, size: written.pages * pageSize };
  }
}
