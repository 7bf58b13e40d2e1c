// The two columns of every screen: a plain noun on the left, the facts to the right.

const NOUN_WIDTH = 12;

/** A line with its noun, or with none to go on below the line before. What is too long for its column pushes the fact aside. */
export function row(noun: string, fact: string): string {
  return `${noun.length < NOUN_WIDTH ? noun.padEnd(NOUN_WIDTH) : `${noun}  `}${fact}`;
}
