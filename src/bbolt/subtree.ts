// Parts of a tree while it is changed, and how they are joined: all leaves of a bucket have to be on one
// level, and every branch page has to have two children or more, or bbolt panics when it merges pages.

import { BranchGroups, writeBranch } from './branch-levels.ts';
import { ELEMENTS_MAX } from './leaf-builder.ts';
import { BranchPage, ELEMENT_SIZE, HEADER_SIZE, LeafPage } from './page.ts';
import type { PageAllocator } from './page-allocator.ts';
import type { Child } from './page-image.ts';
import { viewOf } from './page-image.ts';
import type { PageReader } from './page-reader.ts';

/** A page of a tree. */
export type Node = { readonly key: Uint8Array } & (
  | { readonly page: number }
  /** A leaf page that is not written yet, as an inline bucket has it. */
  | { readonly image: Uint8Array }
  /** A branch page that is not written yet. */
  | { readonly children: readonly Node[] }
);

/** Pages of one level, in order; leaves are at height 0. */
export interface Row {
  readonly height: number;
  readonly nodes: Node[];
}

export class Subtrees {
  readonly #reader: PageReader;
  readonly #pages: PageAllocator;
  readonly #fillPercent: number;

  constructor(reader: PageReader, pages: PageAllocator, fillPercent: number) {
    this.#reader = reader;
    this.#pages = pages;
    this.#fillPercent = fillPercent;
  }

  /** Puts branch pages above a row, of one node or more; a single node stays without. */
  lift({ height, nodes }: Row): Row {
    if (nodes.length < 2) return { height, nodes };
    return { height: height + 1, nodes: this.#group(nodes) };
  }

  /** The one page that a row, of one node or more, comes to. */
  rootOf(row: Row): Node {
    let top = row;
    while (top.nodes.length > 1) top = this.lift(top);
    return top.nodes[0]!;
  }

  /**
   * Makes one row of two, all keys of the left one being below those of the right one. The lower one is hung into
   * the nearest page of the higher one that is on its level.
   * @throws EtcdkeepError `database-damaged`, `file-failed`
   */
  async join(left: Row, right: Row): Promise<Row> {
    if (left.nodes.length === 0) return right;
    if (right.nodes.length === 0) return left;
    if (left.height === right.height) {
      for (const node of right.nodes) left.nodes.push(node);
      return left;
    }
    const isLeftHigher = left.height > right.height;
    const higher = isLeftHigher ? left : right;
    const nearest = isLeftHigher ? higher.nodes.pop()! : higher.nodes.shift()!;
    const children = { height: higher.height - 1, nodes: await this.#childrenOf(nearest) };
    const below = isLeftHigher ? await this.join(children, right) : await this.join(left, children);
    // A page that had a single child before still has one: it is hung into the next page in its turn.
    const lifted = this.lift(below);
    return isLeftHigher ? this.join(higher, lifted) : this.join(lifted, higher);
  }

  /** Writes what is not written yet of a page and below it. @returns its page id */
  async write(node: Node): Promise<number> {
    if ('page' in node) return node.page;
    if ('image' in node) {
      const page = this.#pages.allocate(node.image.length);
      viewOf(node.image).setBigUint64(0, BigInt(page), true);
      await this.#pages.write(page, node.image);
      return page;
    }
    const children: Child[] = [];
    for (const child of node.children) {
      children.push({ key: child.key, page: await this.write(child) });
    }
    return await writeBranch(this.#pages, children);
  }

  async #childrenOf(node: Node): Promise<Node[]> {
    if ('children' in node) return [...node.children];
    if (!('page' in node)) throw new Error('a leaf page has no children');
    const range = { lower: node.key, upper: undefined };
    const branch = await this.#reader.read(node.page, node.page, range, 0, new LeafPage());
    if (branch instanceof BranchPage) return childrenOf(branch);
    throw this.#reader.damaged(node.page, 'is a leaf where the others are branch pages');
  }

  /** Divides nodes into branch pages; what goes onto one page is left on it. */
  #group(nodes: readonly Node[]): Node[] {
    const size = nodes.reduce((sum, { key }) => sum + ELEMENT_SIZE + key.length, HEADER_SIZE);
    const { pageSize } = this.#pages;
    if (size <= pageSize && nodes.length <= ELEMENTS_MAX) return [branchNode(nodes)];
    const groups = new BranchGroups<Node>(Math.floor(pageSize * this.#fillPercent));
    const complete: Node[] = [];
    for (const node of nodes) {
      const group = groups.add(node);
      if (group !== undefined) complete.push(branchNode(group));
    }
    return [...complete, ...groups.finish().map(branchNode)];
  }
}

/** The children of a branch page as nodes; their keys stay in its bytes. */
export function childrenOf(branch: BranchPage): Node[] {
  return Array.from({ length: branch.count }, (_, index) => ({
    key: branch.key(index),
    page: branch.child(index),
  }));
}

function branchNode(children: readonly Node[]): Node {
  return { key: children[0]!.key, children };
}
