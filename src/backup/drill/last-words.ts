// What a member said last in its log, in a line that a person can read.

const LENGTH_MAX = 200;

/** Of the gravest kinds of lines (go.uber.org/zap). */
const GRAVE = ['fatal', 'panic', 'dpanic', 'error'];

interface LogLine {
  readonly level?: unknown;
  readonly msg?: unknown;
  readonly error?: unknown;
}

/** @param log zap's JSON lines, and what Go prints beside them. @returns '' if it said nothing */
export function lastWords(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  const panic = lines.find((line) => /^(panic|fatal error): /.test(line));
  const graveOnes = lines.map(parse).filter(({ level }) => GRAVE.includes(String(level)));
  const grave = graveOnes.at(-1);
  if (panic !== undefined) return shown(panic);
  if (grave === undefined) return shown(sentence(parse(lines.at(-1) ?? '')));
  return shown(sentence(grave));
}

function parse(line: string): LogLine {
  try {
    return (JSON.parse(line) as LogLine | null) ?? {};
  } catch {
    return { msg: line };
  }
}

function sentence({ msg, error }: LogLine): string {
  return [msg, error].filter((part) => typeof part === 'string' && part !== '').join(': ');
}

function shown(text: string): string {
  const plain = text
    .replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim()
    .replace(/[.\s]+$/, '');
  return plain.length > LENGTH_MAX ? `${plain.slice(0, LENGTH_MAX)}…` : plain;
}
