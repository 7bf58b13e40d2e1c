// YAML (and JSON, which is a part of it) as plain values, with errors that quote nothing of the text: it
// may hold keys.

import { parseDocument } from 'yaml';

/** Text that is not one document of YAML. */
export class YamlSyntaxError extends Error {
  /** Counted from 1; undefined if it is not known. */
  readonly line: number | undefined;

  constructor(line: number | undefined) {
    super(line === undefined ? 'it is not YAML' : `it is not YAML, in line ${line}`);
    this.name = 'YamlSyntaxError';
    this.line = line;
  }
}

/**
 * Parses one document.
 * @throws YamlSyntaxError
 */
export function parseYaml(text: string): unknown {
  // What the library warns of it prints itself, and quotes.
  const document = parseDocument(text, { logLevel: 'error' });
  const [error] = document.errors;
  if (error !== undefined) throw new YamlSyntaxError(error.linePos?.[0].line);
  try {
    return document.toJS();
  } catch {
    // Aliases without an anchor, or so many that their expansion would be a bomb.
    throw new YamlSyntaxError(undefined);
  }
}
