// Commands in a page of the documentation, in blocks as of a terminal, with the lines that are shown of their output.
import { readFile } from 'node:fs/promises';

export interface DocumentedCommand {
  /** `$` at the user's machine, `#` as root on the host. */
  readonly prompt: '$' | '#';
  /** As a shell reads it. */
  readonly line: string;
  readonly shown: readonly string[];
}

/** All of them, in order. A block without a prompt is no terminal's. */
export async function documentedCommands(page: string): Promise<readonly DocumentedCommand[]> {
  const text = await readFile(new URL(`../docs/${page}`, import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/^```\n([$#] .*?)^```/gms)].map(([, block]) => block!);
  return blocks.flatMap((block) =>
    block.split(/^(?=[$#] )/m).map((part) => {
      const [first = '', ...shown] = part.trimEnd().split('\n');
      return { prompt: first[0] as '$' | '#', line: first.slice(2), shown };
    }),
  );
}
