// The output formats of etcdutl (`-w simple|json|table|fields`), and YAML: one row of named values.
// Read in etcd, etcdutl/etcdutl/printer*.go; the table is the newest's, with lines drawn.

/** A value under the names that the formats have for it. */
export interface OutputValue {
  /** In JSON and YAML: `totalKey`. */
  readonly name: string;
  /** In `fields`: `Keys`. */
  readonly field: string;
  /** In `table`: `TOTAL KEYS`. */
  readonly heading: string;
  readonly value: number | bigint | string;
  /** In `simple` and `table`, where it is not the value itself: `819 kB`. */
  readonly shown?: string;
}

const WRITE_OUT_FORMATS = ['simple', 'json', 'table', 'fields', 'yaml'] as const;
export type WriteOutFormat = (typeof WRITE_OUT_FORMATS)[number];

export const WRITE_OUT_FLAG = {
  kind: 'enum',
  values: WRITE_OUT_FORMATS,
  default: 'simple',
  brief: 'the output format',
} as const;

/** The text for a format, without a line end at the end. */
export function writeOut(values: readonly OutputValue[], format: WriteOutFormat): string {
  const shown = values.map(({ value, shown: text }) => text ?? value.toString());
  switch (format) {
    case 'simple':
      return shown.join(', ');
    case 'json':
      return `{${values.map(({ name, value }) => `"${name}":${json(value)}`).join(',')}}`;
    case 'table':
      return table(
        values.map(({ heading }) => heading),
        shown,
      );
    case 'fields':
      return values.map(({ field, value }) => `"${field}" : ${value}`).join('\n');
    case 'yaml':
      return values.map(({ name, value }) => `${name}: ${json(value)}`).join('\n');
  }
}

/** etcd's own sizes (github.com/dustin/go-humanize, Bytes): SI units, one digit below ten. */
export function humanizedBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
  if (bytes < 10) return `${bytes} B`;
  const power = Math.floor(Math.log(bytes) / Math.log(1000));
  const value = Math.floor((bytes / 1000 ** power) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : halfToEven(value)} ${units[power]!}`;
}

/** As Go's %.0f rounds: 20.5 to 20. */
function halfToEven(value: number): number {
  const whole = Math.floor(value);
  return value - whole === 0.5 ? whole + (whole % 2) : Math.round(value);
}

/** 64-bit numbers as they are, as Go writes them. */
function json(value: OutputValue['value']): string {
  return typeof value === 'string' ? JSON.stringify(value) : value.toString();
}

function table(headings: readonly string[], cells: readonly string[]): string {
  const widths = headings.map((heading, index) => Math.max(heading.length, cells[index]!.length));
  const line = (left: string, middle: string, right: string): string =>
    left + widths.map((width) => '─'.repeat(width + 2)).join(middle) + right;
  const row = (texts: readonly string[]): string => `│ ${texts.join(' │ ')} │`;
  return [
    line('┌', '┬', '┐'),
    row(headings.map((heading, index) => centred(heading, widths[index]!))),
    line('├', '┼', '┤'),
    row(cells.map((cell, index) => cell.padStart(widths[index]!))),
    line('└', '┴', '┘'),
  ].join('\n');
}

function centred(text: string, width: number): string {
  const left = Math.floor((width - text.length) / 2);
  return text.padStart(left + text.length).padEnd(width);
}
