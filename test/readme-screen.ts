// The screens of commands in the README, to be held against what the commands print.
import { readFile } from 'node:fs/promises';

export interface ShownPart {
  /** Of etcdkeep, without sudo. */
  readonly command: readonly string[];
  readonly shown: readonly string[];
}

/** The commands of the screen that begins with this one, and what is shown of each. */
export async function shownParts(first: string): Promise<readonly ShownPart[]> {
  const text = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const screens = [...text.matchAll(/^```\n(\$ .*?)^```/gms)].map(([, screen]) => screen!);
  const screen = screens.find((one) => one.startsWith(`$ ${first}`));
  if (screen === undefined) throw new Error(`the README has no screen that begins with ${first}`);
  return screen
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [line = '', ...shown] = part.trimEnd().split('\n');
      const [, ...command] = line.replace(/^sudo /, '').split(' ');
      return { command, shown };
    });
}

/** A line without what differs from one host to another: figures, places, names, widths, and how many there are of something. */
export function shapeOf(line: string): string {
  return line
    .replace(/(https?:\/\/|\/)[\w./:-]+/g, '<place>')
    .replace(/ip-[\w.-]+/g, '<host>')
    .replace(/etcdkeep-master-0-\w+/g, '<pod>')
    .replace(/\b(\d+[smhd])+\b/g, '<age>')
    .replace(/,? ?\d[\d,.:_-]*( [kMGT]?B\b)?/g, ' <figure>')
    .replace(/one of <figure> members?|the only member|one of {2}<figure> members/g, '<members>')
    .replace(/\b(second|minute|hour|revision|lease|warning)s?\b/g, '$1')
    .replace(/(second|minute|hour)/g, '<unit>')
    .replace(/ +/g, ' ')
    .trimEnd();
}
