// The branch pages above pages that are written one after the other. What is kept of each level is two
// pages at most.

import { ELEMENTS_MAX } from './leaf-builder.ts';
import { ELEMENT_SIZE, HEADER_SIZE } from './page.ts';
import type { PageAllocator } from './page-allocator.ts';
import { branchImage, branchSize, type Child } from './page-image.ts';

/**
 * Divides children into branch pages, in order, each of them with two or more: bbolt panics when it has to
 * merge the child of a page that has no other ("parent must have at least 2 children", node.go, rebalance).
 * @typeParam C what is known of a child
 */
export class BranchGroups<C extends { readonly key: Uint8Array }> {
  readonly #fullSize: number;
  /** A page that is complete, but may have to give one of its children to the last one. */
  #held: C[] | undefined;
  #open: C[] = [];
  #openSize = HEADER_SIZE;

  /** @param fullSize bytes that a page is filled with */
  constructor(fullSize: number) {
    this.#fullSize = fullSize;
  }

  /** @returns the children of a page that is complete, if there is one */
  add(child: C): C[] | undefined {
    const size = ELEMENT_SIZE + child.key.length;
    const isFull = this.#openSize + size > this.#fullSize || this.#open.length === ELEMENTS_MAX;
    let complete: C[] | undefined;
    if (isFull && this.#open.length >= 2) {
      complete = this.#held;
      this.#held = this.#open;
      this.#open = [];
      this.#openSize = HEADER_SIZE;
    }
    this.#open.push(child);
    this.#openSize += size;
    return complete;
  }

  /** @returns the last pages, at most two; only if there was never more than one child has one fewer than two */
  finish(): C[][] {
    const [held, open] = [this.#held, this.#open];
    if (held === undefined) return open.length === 0 ? [] : [open];
    if (open.length > 1) return [held, open];
    if (held.length === 2) return [[...held, ...open]];
    return [held.slice(0, -1), [...held.slice(-1), ...open]];
  }
}

export class BranchLevels {
  readonly #pages: PageAllocator;
  readonly #fullSize: number;
  readonly #levels: BranchGroups<Child>[] = [];

  constructor(pages: PageAllocator, fillPercent: number) {
    this.#pages = pages;
    this.#fullSize = Math.floor(pages.pageSize * fillPercent);
  }

  get isEmpty(): boolean {
    return this.#levels.length === 0;
  }

  /** Takes the next page of the level below. */
  async add(child: Child, level = 0): Promise<void> {
    const groups = (this.#levels[level] ??= new BranchGroups(this.#fullSize));
    const complete = groups.add(child);
    if (complete !== undefined) await this.#write(complete, level);
  }

  /**
   * Writes what is left.
   * @returns the root's page id; there has to be a page
   */
  async finish(): Promise<number> {
    for (let level = 0; ; level += 1) {
      const [first, second] = this.#levels[level]!.finish() as [Child[], Child[]?];
      if (second === undefined && level === this.#levels.length - 1) {
        return first.length === 1 ? first[0]!.page : writeBranch(this.#pages, first);
      }
      await this.#write(first, level);
      if (second !== undefined) await this.#write(second, level);
    }
  }

  async #write(children: readonly Child[], level: number): Promise<void> {
    const page = await writeBranch(this.#pages, children);
    await this.add({ key: children[0]!.key, page }, level + 1);
  }
}

/** @returns its page id */
export async function writeBranch(
  pages: PageAllocator,
  children: readonly Child[],
): Promise<number> {
  const page = pages.allocate(branchSize(children));
  await pages.write(page, branchImage(children, page, pages.pageSize));
  return page;
}
