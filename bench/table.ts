// How figures are printed.

/** A line of a table: what is measured, and its figures. */
export function row(name: string, cells: readonly string[]): string {
  return name.padEnd(10) + cells.map((cell) => cell.padStart(10)).join('');
}
