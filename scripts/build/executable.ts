// Scripts and a Node as one file (Node's "single executable applications"). Without a code cache or a snapshot: those
// are not the same from one build to the next.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'postject';
import { stripProgram } from './elf.ts';
import { run } from './run.ts';

/** Where Node looks for the script in itself (its documentation of single executables). */
const RESOURCE = 'NODE_SEA_BLOB';
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** The flags that bin/etcdkeep gives to Node, as they are said there. */
export async function nodeFlags(home: string): Promise<string[]> {
  const launcher = await readFile(join(home, 'bin/etcdkeep'), 'utf8');
  const [, command] = launcher.split('exec "$node"');
  const flags = command?.match(/--[\w-]+(=\S+)?/g) ?? [];
  if (flags.length === 0) throw new Error('bin/etcdkeep gives no flags to Node');
  return flags;
}

export interface ExecutableParts {
  /** The CommonJS script that is run. */
  readonly start: string;
  /** What it finds with node:sea, by name. */
  readonly assets: ReadonlyMap<string, string>;
  /** For Node. */
  readonly flags: readonly string[];
}

/**
 * @param node a Node of the version that runs this, for whatever machine
 * @param scratch an empty directory
 * @returns path of the executable, in that directory
 */
export async function makeExecutable(
  node: Buffer,
  { start, assets, flags }: ExecutableParts,
  scratch: string,
): Promise<string> {
  const config = {
    main: 'start.cjs',
    output: 'blob',
    disableExperimentalSEAWarning: true,
    assets: Object.fromEntries([...assets.keys()].map((name) => [name, name])),
    execArgv: flags,
    // What NODE_OPTIONS says is meant for other programs.
    execArgvExtension: 'none',
  };
  await writeFile(join(scratch, config.main), start);
  for (const [name, content] of assets) await writeFile(join(scratch, name), content);
  await writeFile(join(scratch, 'config.json'), JSON.stringify(config));
  // Its names are relative: the blob holds that of the script.
  await run(process.execPath, ['--experimental-sea-config', 'config.json'], { cwd: scratch });
  const executable = join(scratch, 'executable');
  // Stripped before: afterwards the blob would be taken for what is not needed.
  await writeFile(executable, stripProgram(node), { mode: 0o755 });
  // Its warning of a section name that it cannot find is of the note that it makes, which needs none.
  await inject(executable, RESOURCE, await readFile(join(scratch, config.output)), {
    sentinelFuse: FUSE,
  });
  return executable;
}
