// The linter's rule about the order of the folders, tried on imports that it must refuse.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import { expect, it, onTestFinished } from 'vitest';

const HOME = fileURLToPath(new URL('../..', import.meta.url));
const RULE = 'no-restricted-imports';

/** Lints an import as if it stood in a new file. */
async function refusals(file: string, imported: string): Promise<string[]> {
  const path = `${HOME}src/${file}`;
  const made = mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `import '${imported}';\n`);
  onTestFinished(() => rmSync(made ?? path, { recursive: true }));
  const eslint = new ESLint({ cwd: HOME });
  const [result] = await eslint.lintFiles([path]);
  return result!.messages.filter(({ ruleId }) => ruleId === RULE).map(({ message }) => message);
}

it.each([
  ['base/lint-probe.ts', '../bbolt/meta.ts'],
  ['bbolt/lint-probe.ts', '../etcd/store/database-status.ts'],
  ['etcd/store/lint-probe.ts', '../client/client.ts'],
  ['etcd/client/lint-probe.ts', '../../controlplane/host.ts'],
  ['backup/lint-probe.ts', '../cli/screen.ts'],
  ['cli/commands/lint-probe.ts', '../../console/page.ts'],
  ['console/lint-probe.ts', '../cli/screen.ts'],
])('src/%s may not import %s', async (file, imported) => {
  expect(await refusals(file, imported)).toHaveLength(1);
});

it.each([
  ['bbolt/lint-probe.ts', '../base/errors.ts'],
  ['etcd/client/lint-probe.ts', '../../base/errors.ts'],
  ['etcd/client/lint-probe.ts', './client.ts'],
  ['cli/commands/lint-probe.ts', '../../backup/take.ts'],
])('src/%s may import %s', async (file, imported) => {
  expect(await refusals(file, imported)).toEqual([]);
});
