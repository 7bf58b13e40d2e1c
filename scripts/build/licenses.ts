// The terms of everything that an executable holds, in one text.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runtime } from './runtime.ts';

const RULE = '='.repeat(80);

/** @param packages names of npm packages, which are installed */
export async function licensesOf(
  home: string,
  packages: readonly string[],
  runtime: Runtime,
): Promise<string> {
  const texts = [section('etcdkeep', await readFile(join(home, 'LICENSE'), 'utf8'))];
  for (const name of packages) {
    const directory = join(home, 'node_modules', name);
    const file = (await readdir(directory)).find((entry) => /^licen[cs]e/i.test(entry));
    // Some say it in their package.json only.
    const text = file === undefined ? undefined : await readFile(join(directory, file), 'utf8');
    texts.push(section(name, text ?? (await namedLicense(directory))));
  }
  texts.push(section(`Node ${runtime.version}`, runtime.license));
  return texts.join('\n');
}

async function namedLicense(directory: string): Promise<string> {
  const text = await readFile(join(directory, 'package.json'), 'utf8');
  const { license } = JSON.parse(text) as { license: string };
  return license;
}

function section(name: string, text: string): string {
  return `${RULE}\n${name}\n${RULE}\n\n${text.trimEnd()}\n`;
}
