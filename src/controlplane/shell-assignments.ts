// Reads `export KEY="value"` lines as a shell does, without one: nothing is ever run or expanded.
// A value that a shell would have to compute is refused, because it cannot be known here.

/** Text that is not a list of plain assignments. */
export class ShellSyntaxError extends Error {
  /** Counted from 1. */
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.name = 'ShellSyntaxError';
    this.line = line;
  }
}

const BLANK_LINE_OR_COMMENT = /[ \t]*(?:#[^\n]*)?(?:\n|$)/y;
const ASSIGNMENT = /[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=/y;
// A comment begins after a blank only: `a#b` is a value.
const END_OF_LINE = /(?:[ \t]+(?:#[^\n]*)?)?(?:\n|$)/y;

// The parts of a word (POSIX.1-2017, XCU 2.2). Left out of the plain part is what a shell expands,
// matches against file names, or ends a command at; quoted or escaped, those are plain as well.
const CONTINUED = /\\\n/y;
const ESCAPED = /\\([^\n])/y;
const SINGLE_QUOTED = /'([^']*)'/y;
const DOUBLE_QUOTED = /"((?:[^"\\$`]|\\[^])*)"/y;
const PLAIN = /[^\s\\'"$`;&|<>()*?[\]{}~!]+/y;

/**
 * Parses assignments; where a name is assigned twice the last one counts.
 * @throws ShellSyntaxError
 */
export function parseAssignments(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const scanner = new Scanner(text);
  while (!scanner.atEnd()) {
    if (scanner.take(BLANK_LINE_OR_COMMENT) !== null) continue;
    const name = scanner.take(ASSIGNMENT)?.[1];
    if (name === undefined) throw scanner.error('it is not an assignment');
    const value = takeWord(scanner);
    if (scanner.take(END_OF_LINE) === null) {
      throw scanner.error(`the value of ${name} is not plain text`);
    }
    values.set(name, value);
  }
  return values;
}

function takeWord(scanner: Scanner): string {
  let word = '';
  for (;;) {
    const literal = scanner.take(PLAIN)?.[0] ?? scanner.take(SINGLE_QUOTED)?.[1];
    const escaped = literal ?? scanner.take(ESCAPED)?.[1];
    const quoted = escaped ?? scanner.take(DOUBLE_QUOTED)?.[1]?.replace(/\\([$`"\\\n])/g, unescape);
    if (quoted !== undefined) word += quoted;
    else if (scanner.take(CONTINUED) === null) return word;
  }
}

/** Within double quotes a backslash before any other character stands for itself. */
function unescape(_match: string, character: string): string {
  return character === '\n' ? '' : character;
}

class Scanner {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    return this.#offset >= this.#text.length;
  }

  take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#offset += match[0].length;
    return match;
  }

  error(message: string): ShellSyntaxError {
    const line = this.#text.slice(0, this.#offset).split('\n').length;
    return new ShellSyntaxError(message, line);
  }
}
