// Writes every generated file anew, or with --check fails when one is not as it would be written.
//
//   src/etcd/client/gen/      from proto/, by buf and protoc-gen-es
//   src/base/crc32c.wasm.ts   from src/base/crc32c.wat
//   docs/errors.md            from src/base/error-codes.ts
//   docs/checks.md            from src/backup/checks/catalog.ts and src/backup/restore/check-catalog.ts
//   docs/record.*             from src/record/schema.ts

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { recordPages } from '../src/record/documentation.ts';
import { checksPage } from './checks-page.ts';
import { compileCrc32c } from './crc32c.ts';
import { errorsPage } from './errors-page.ts';

const home = fileURLToPath(new URL('..', import.meta.url));
const check = process.argv.includes('--check');
const stale: string[] = [];

function write(path: string, text: string): void {
  const file = `${home}/${path}`;
  if (check) {
    let current = '';
    try {
      current = readFileSync(file, 'utf8');
    } catch {
      // A missing file is a stale one.
    }
    if (current !== text) stale.push(path);
    return;
  }
  writeFileSync(file, text);
  console.log(`wrote ${path}`);
}

function run(command: string, ...args: string[]): void {
  const path = `${home}/node_modules/.bin:${process.env['PATH'] ?? ''}`;
  const { status } = spawnSync(command, args, {
    cwd: home,
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  });
  if (status !== 0) process.exit(1);
}

function generateProtos(): void {
  const scratch = mkdtempSync(join(tmpdir(), 'etcdkeep-generate-'));
  run('buf', 'generate', '--output', scratch);
  for (const name of ['rpc_pb.js', 'rpc_pb.d.ts']) {
    const file = `src/etcd/client/gen/${name}`;
    write(file, readFileSync(join(scratch, file), 'utf8'));
  }
  rmSync(scratch, { recursive: true });
}

generateProtos();
write('src/base/crc32c.wasm.ts', await compileCrc32c());
write('docs/errors.md', errorsPage());
write('docs/checks.md', checksPage());
for (const { path, text } of recordPages()) write(path, text);
if (stale.length > 0) {
  console.error(`not as generated: ${stale.join(', ')}; run: npm run generate`);
  process.exit(1);
}
