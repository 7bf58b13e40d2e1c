// Compiles src/base/crc32c.wat into src/base/crc32c.wasm.ts, so that neither a run nor a single
// executable needs a file beside the code. A test demands that the two belong together.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

const SOURCE = fileURLToPath(new URL('../src/base/crc32c.wat', import.meta.url));

/** The text of src/base/crc32c.wasm.ts as it should be. */
export async function compileCrc32c(): Promise<string> {
  const toolkit = await wabt();
  const module = toolkit.parseWat('crc32c.wat', await readFile(SOURCE, 'utf8'));
  module.validate();
  const base64 = Buffer.from(module.toBinary({}).buffer).toString('base64');
  const lines = base64.match(/.{1,92}/g)!.map((line) => `  '${line}',`);
  return [
    '// Generated from crc32c.wat by scripts/generate.ts. Do not edit.',
    '',
    '/** The compiled module, in base64. */',
    'export const CRC32C_WASM = [',
    ...lines,
    "].join('');",
    '',
  ].join('\n');
}
