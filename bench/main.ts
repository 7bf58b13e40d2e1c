// npm run bench -- NAME...: side by side with peers. Only ratios of one run mean anything.

import { parseArgs } from 'node:util';
import { parseBytes } from '../src/cli/parse.ts';
import { findRelease } from '../test/servers/binaries.ts';
import { ETCD_VERSIONS, type EtcdBinaries } from '../test/servers/versions.ts';
import { benchHome } from './home.ts';
import { benchReaders, READERS } from './readers.ts';
import { benchRestore } from './restore.ts';
import { benchSave } from './save.ts';
import { benchStart } from './start.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string', default: '1GiB' },
    rounds: { type: 'string', default: '5' },
  },
});
const names: readonly string[] = ['save', ...READERS, 'restore', 'home', 'start'];
if (positionals.length === 0 || !positionals.every((name) => names.includes(name))) {
  console.error(`Usage: npm run bench -- ${names.join('|')}... [--size 1GiB] [--rounds 5]`);
  process.exit(2);
}
const options = {
  sizeBytes: parseBytes(values.size),
  rounds: Number(values.rounds),
  release: await newestRelease(),
};
if (positionals.includes('save')) await benchSave(options);
const readers = READERS.filter((name) => positionals.includes(name));
if (readers.length > 0) await benchReaders({ ...options, readers });
if (positionals.includes('restore')) await benchRestore(options);
if (positionals.includes('home')) await benchHome(options);
if (positionals.includes('start')) benchStart(options.rounds);

async function newestRelease(): Promise<EtcdBinaries> {
  const found = await findRelease(ETCD_VERSIONS.at(-1)!);
  if ('reason' in found) throw new Error(`there is nothing to compare with: ${found.reason}`);
  return found.binaries;
}
