// The examples of the libraries' READMEs are run as they stand there, and print what is said.
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { directoryForTest } from '../cli/scene.ts';
import { readDatabase } from '../fixtures/databases/databases.ts';
import { runCommand } from '../servers/command.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

it.each(['src/bbolt/README.md', 'src/etcd/store/README.md'])('%s', async (path) => {
  const text = await readFile(join(root, path), 'utf8');
  const block = (language: string): string =>
    new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(text)![1]!;
  const directory = directoryForTest();
  // Where it is run, its modules lie elsewhere.
  const example = block('ts').replaceAll(
    /from '(\..*?)'/g,
    (_, module: string) => `from '${pathToFileURL(resolve(root, dirname(path), module)).href}'`,
  );
  await writeFile(join(directory, 'example.mts'), example);
  await writeFile(join(directory, 'snapshot.db'), readDatabase('tree'));
  const { code, stdout, stderr } = await runCommand(process.execPath, ['example.mts'], {
    cwd: directory,
  });
  expect(code, stderr).toBe(0);
  expect(stdout).toBe(block('text'));
});
