// What a database says, in a sentence that a person reads: ids as etcdctl prints them, and texts that cannot
// move the cursor or fill the screen.

const TEXT_LENGTH_MAX = 60;

/** Id of a member, as `etcdctl member list` prints it. */
export function memberId(id: bigint): string {
  return id.toString(16);
}

/** Id of a lease, as `etcdctl lease list` prints it. */
export function leaseId(id: bigint): string {
  return id.toString(16).padStart(16, '0');
}

/** A text or bytes between quotation marks, cut off where it is long. */
export function quoted(text: string | Uint8Array): string {
  // A character has up to four bytes.
  const front = typeof text === 'string' ? text : text.subarray(0, 4 * (TEXT_LENGTH_MAX + 1));
  const whole = Buffer.from(front).toString();
  const shown = whole.length > TEXT_LENGTH_MAX ? `${whole.slice(0, TEXT_LENGTH_MAX)}...` : whole;
  return `"${shown.replaceAll(/[\p{C}"\\]/gu, escaped)}"`;
}

function escaped(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  return `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`;
}
