// Changes the tree of one bucket, and of those in it, from the leaves up. Only the pages on the way to a
// change are read and written anew.

import { type BucketEdit, isAboutBucket, type KeyChange } from './bucket-edit.ts';
import type { KeyBounds } from './key-range.ts';
import { LeafBuilder } from './leaf-builder.ts';
import { LeafWriter } from './leaf-writer.ts';
import {
  BranchPage,
  BUCKET_HEADER_SIZE,
  compareBytes,
  ELEMENT_SIZE,
  HEADER_SIZE,
  LeafPage,
} from './page.ts';
import type { PageAllocator } from './page-allocator.ts';
import { bucketImage, viewOf } from './page-image.ts';
import type { PageReader } from './page-reader.ts';
import { childrenOf, type Node, type Row, Subtrees } from './subtree.ts';

const EVERY_KEY: KeyBounds = { lower: undefined, upper: undefined };

/** An element of a changed leaf, in the bytes of its page or of a change. */
interface Element {
  readonly bytes: Uint8Array;
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly isBucket: boolean;
}

/** A page that is changed, and how it was come to. */
interface Place {
  readonly page: number;
  readonly parent: number;
  readonly range: KeyBounds;
  /** Pages above it. */
  readonly depth: number;
  /** Pages below it, to the leaves. */
  readonly height: number;
}

/** A bucket's root: a page, or an inline leaf in the value of its element. */
type Root = number | Uint8Array;

export class TreeEdit {
  readonly #reader: PageReader;
  readonly #pages: PageAllocator;
  readonly #fillPercent: number;
  readonly #subtrees: Subtrees;

  /** @param fillPercent share of a page that is filled where an old one has to be divided */
  constructor(reader: PageReader, pages: PageAllocator, fillPercent: number) {
    this.#reader = reader;
    this.#pages = pages;
    this.#fillPercent = fillPercent;
    this.#subtrees = new Subtrees(reader, pages, fillPercent);
  }

  /**
   * Changes the buckets of the root bucket.
   * @param parent the meta page that names it
   * @returns its page id, which is the old one if nothing changes
   */
  async editRoot(root: number, parent: number, edit: BucketEdit): Promise<number> {
    const changed = await this.#editTree(root, parent, 0, edit.changes);
    if (changed === undefined) return root;
    if (changed.nodes.length === 0) return await this.#newLeaves(1).writeEmpty();
    return await this.#subtrees.write(this.#subtrees.rootOf(changed));
  }

  /**
   * Changes a bucket.
   * @param value of its element; undefined if it is new
   * @param page that its element is on
   * @returns the value of its element
   */
  async #editBucket(
    value: Uint8Array | undefined,
    page: number,
    depth: number,
    edit: BucketEdit,
  ): Promise<Uint8Array> {
    const sequence = value === undefined ? 0n : viewOf(value).getBigUint64(8, true);
    const old = edit.isCleared || value === undefined ? undefined : rootOf(value);
    const changed = await this.#editTree(old, page, depth, edit.changes);
    if (changed === undefined && old !== undefined) return value!;
    return bucketImage(await this.#writeRoot(changed), sequence);
  }

  async #writeRoot(row: Row | undefined): Promise<Root> {
    if (row === undefined || row.nodes.length === 0) {
      return new LeafBuilder(this.#pages.pageSize, 1).inlineImage();
    }
    const root = this.#subtrees.rootOf(row);
    return 'image' in root ? root.image : await this.#subtrees.write(root);
  }

  /** @returns undefined if nothing changes */
  async #editTree(
    root: Root | undefined,
    parent: number,
    depth: number,
    changes: readonly KeyChange[],
  ): Promise<Row | undefined> {
    if (typeof root !== 'number') {
      const leaf =
        root === undefined
          ? undefined
          : this.#reader.openInline(parent, root, BUCKET_HEADER_SIZE, root.length);
      return await this.#editLeaf(leaf, changes, parent, depth);
    }
    if (changes.length === 0) return undefined;
    const height = await this.#heightOf(root, parent, depth);
    return await this.#editPage({ page: root, parent, range: EVERY_KEY, depth, height }, changes);
  }

  /** How many branch pages are above the first leaf, and so above every leaf. */
  async #heightOf(root: number, parent: number, depth: number): Promise<number> {
    let [page, from] = [root, parent];
    for (let height = 0; ; height += 1) {
      const content = await this.#read(page, from, EVERY_KEY, depth + height);
      if (content instanceof LeafPage) return height;
      [page, from] = [content.child(0), page];
    }
  }

  async #editPage(place: Place, changes: readonly KeyChange[]): Promise<Row | undefined> {
    const { page, parent, range, depth, height } = place;
    const content = await this.#read(page, parent, range, depth);
    if (content instanceof LeafPage !== (height === 0)) {
      throw this.#reader.damaged(page, 'is not on the level of its bucket that it should be on');
    }
    if (content instanceof LeafPage) return this.#editLeaf(content, changes, page, depth);
    const children = await this.#editChildren(content, place, changes);
    // Of a page that has a single child left that child stays, to be hung into one beside it.
    return children?.height === height - 1 ? this.#subtrees.lift(children) : children;
  }

  async #editChildren(
    branch: BranchPage,
    { page, range, depth, height }: Place,
    changes: readonly KeyChange[],
  ): Promise<Row | undefined> {
    let row: Row = { height: height - 1, nodes: [] };
    let isChanged = false;
    let at = 0;
    for (const [index, child] of childrenOf(branch).entries()) {
      const next = index + 1 < branch.count ? branch.key(index + 1) : undefined;
      const from = at;
      while (
        at < changes.length &&
        (next === undefined || compareBytes(changes[at]!.key, next) < 0)
      ) {
        at += 1;
      }
      const place = {
        page: branch.child(index),
        parent: page,
        range: { lower: child.key, upper: next ?? range.upper },
        depth: depth + 1,
        height: height - 1,
      };
      const edited = from === at ? undefined : await this.#editPage(place, changes.slice(from, at));
      isChanged ||= edited !== undefined;
      row = await this.#subtrees.join(row, edited ?? { height: height - 1, nodes: [child] });
    }
    return isChanged ? row : undefined;
  }

  async #read(
    page: number,
    parent: number,
    range: KeyBounds,
    depth: number,
  ): Promise<BranchPage | LeafPage> {
    return await this.#reader.read(page, parent, range, depth, new LeafPage());
  }

  /** @param leaf undefined for one that has nothing yet */
  async #editLeaf(
    leaf: LeafPage | undefined,
    changes: readonly KeyChange[],
    page: number,
    depth: number,
  ): Promise<Row | undefined> {
    const elements: Element[] = [];
    let isChanged = false;
    let index = 0;
    const count = leaf?.count ?? 0;
    for (const { key, change } of changes) {
      while (index < count && compareBytes(leaf!.key(index), key) < 0) {
        elements.push(elementOf(leaf!, index));
        index += 1;
      }
      const isThere = index < count && compareBytes(leaf!.key(index), key) === 0;
      const old = isThere ? elementOf(leaf!, index) : undefined;
      if (isThere) index += 1;
      const changed = await this.#changed(old, { key, change }, page, depth);
      isChanged ||= changed !== old;
      if (changed !== undefined) elements.push(changed);
    }
    if (!isChanged) return undefined;
    for (; index < count; index += 1) elements.push(elementOf(leaf!, index));
    return { height: 0, nodes: await this.#writeLeaves(elements) };
  }

  /** @returns the old element itself if nothing changes, undefined if there is none any more */
  async #changed(
    old: Element | undefined,
    { key, change }: KeyChange,
    page: number,
    depth: number,
  ): Promise<Element | undefined> {
    if (old !== undefined && old.isBucket !== isAboutBucket(change)) {
      const [is, should] = old.isBucket ? ['a bucket', 'a key'] : ['a key', 'a bucket'];
      const name = JSON.stringify(Buffer.from(key).toString('latin1'));
      throw this.#reader.damaged(page, `has ${is} ${name} where ${should} should be`);
    }
    if (change.kind === 'delete' || change.kind === 'delete-bucket') return undefined;
    const value = old?.bytes.subarray(old.valueStart, old.valueEnd);
    const isBucket = change.kind === 'bucket';
    const changed = isBucket
      ? await this.#editBucket(value?.slice(), page, depth + 1, change.edit)
      : change.value;
    if (value !== undefined && compareBytes(value, changed) === 0) return old;
    const bytes = new Uint8Array(key.length + changed.length);
    bytes.set(key);
    bytes.set(changed, key.length);
    return { bytes, keyStart: 0, valueStart: key.length, valueEnd: bytes.length, isBucket };
  }

  /** Writes leaf pages, but not one that could be an inline bucket: whether it is all of one is not known. */
  async #writeLeaves(elements: readonly Element[]): Promise<Node[]> {
    const { pageSize } = this.#pages;
    const size = elements.reduce(
      (sum, { keyStart, valueEnd }) => sum + ELEMENT_SIZE + valueEnd - keyStart,
      HEADER_SIZE,
    );
    const nodes: Node[] = [];
    // What goes onto one page is left on it, whatever room that leaves.
    const leaves = this.#newLeaves(size <= pageSize ? 1 : this.#fillPercent, nodes);
    for (const { bytes, keyStart, valueStart, valueEnd, isBucket } of elements) {
      const written = leaves.add(bytes, keyStart, valueStart, valueEnd, isBucket);
      if (written !== undefined) await written;
    }
    const { leaf } = leaves;
    if (nodes.length === 0 && leaf.count > 0 && leaf.isInlineable) {
      return [{ key: leaf.firstKey, image: leaf.inlineImage() }];
    }
    await leaves.end();
    return nodes;
  }

  #newLeaves(fillPercent: number, nodes: Node[] = []): LeafWriter {
    return new LeafWriter(this.#pages, fillPercent, (page) => {
      nodes.push(page);
      return undefined;
    });
  }
}

function rootOf(value: Uint8Array): Root {
  const page = Number(viewOf(value).getBigUint64(0, true));
  return page === 0 ? value : page;
}

function elementOf(leaf: LeafPage, index: number): Element {
  return {
    bytes: leaf.bytes,
    keyStart: leaf.keyStart(index),
    valueStart: leaf.keyEnd(index),
    valueEnd: leaf.valueEnd(index),
    isBucket: leaf.isBucket(index),
  };
}
