// npm run bench -- save: side by side with peers. Only ratios of one run mean anything.

import { benchSave } from './save.ts';

const BENCHES: Readonly<Record<string, (args: string[]) => Promise<void>>> = {
  save: benchSave,
};

const [name = '', ...args] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench === undefined) {
  console.error(`Usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [options]`);
  process.exit(2);
}
await bench(args);
