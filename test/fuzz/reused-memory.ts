// One WebAssembly.Memory for many readings. Each reader makes one of 64 MiB for itself, which costs more than all
// that it does with a small database, and hundreds a second more than the collector takes away.

const RENEWED_AFTER = 2000;
/** Of WebAssembly. */
const PAGE_SIZE = 65_536;
/** The tables, and where a small database is read to. */
const WIPED_BYTES = 192 * 1024;

/** From now on, in this thread; only one reading at a time may be under way. @returns how to undo it */
export function reuseMemory(): () => void {
  const Real = WebAssembly.Memory;
  let kept: WebAssembly.Memory | undefined;
  let uses = 0;
  const Reused = function (sizes: { readonly initial: number; readonly maximum: number }) {
    // A small one is kept by its owner, with tables in it.
    if (sizes.initial * PAGE_SIZE < WIPED_BYTES) return new Real(sizes);
    if (kept === undefined || uses % RENEWED_AFTER === 0) kept = new Real(sizes);
    uses += 1;
    // What a reader of a small database finds there depends on no earlier input.
    new Uint8Array(kept.buffer, 0, WIPED_BYTES).fill(0);
    return kept;
  };
  Object.assign(WebAssembly, { Memory: Reused });
  return () => Object.assign(WebAssembly, { Memory: Real });
}
