// The script that Node runs in an executable. It loads the scripts that are kept beside it, each when it is first asked for: V8
// has to look through a whole script before it runs the first line of it, and most of etcdkeep is not what a command needs.

import { getAsset } from 'node:sea';
import { compileFunction } from 'node:vm';

interface Script {
  readonly exports: unknown;
}

type Run = (require: typeof load, module: Script, exports: unknown) => void;

const scripts = new Map<string, Script>();

/** What `require` is in those scripts. */
function load(name: string): unknown {
  if (!name.startsWith('./')) return process.getBuiltinModule(name);
  const known = scripts.get(name);
  if (known !== undefined) return known.exports;
  const script: Script = { exports: {} };
  scripts.set(name, script);
  const code = getAsset(name.slice(2), 'utf8');
  const run = compileFunction(code, ['require', 'module', 'exports'], { filename: name }) as Run;
  run(load, script, script.exports);
  return script.exports;
}

load('./main.js');
