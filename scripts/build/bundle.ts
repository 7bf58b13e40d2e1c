// All of etcdkeep and of the libraries that it calls, as a few scripts: the first is what every command needs, and each of the
// others is what is loaded lazily (`await import`), by one command or by several.

import { dirname, join, relative } from 'node:path';
import { type OutputChunk, type Plugin, rolldown } from 'rolldown';

export interface Bundle {
  /** CommonJS, which requires Node's own modules, and others of these as `./name`. */
  readonly scripts: ReadonlyMap<string, string>;
  /** Names of the npm packages that something in it is of. */
  readonly packages: readonly string[];
}

/** How a module of ours starts a thread: `new Worker(new URL('./name-worker.ts', import.meta.url))`. */
const WORKER_URL = /new URL\('(\.\/[\w-]+-worker\.ts)', import\.meta\.url\)/g;

/** @param home root of the checkout */
export async function bundleEtcdkeep(home: string): Promise<Bundle> {
  const chunks = await bundle(home, 'src/cli/main.ts', 'cjs');
  const modules = chunks.flatMap(({ moduleIds }) => moduleIds);
  const packages = modules.map((id) => packageOf(relative(home, id)));
  return {
    scripts: new Map(chunks.map(({ fileName, code }) => [fileName, code])),
    packages: [...new Set(packages)].filter((name) => name !== '').sort(),
  };
}

/** What makes an executable out of those scripts: the one that Node finds in it. */
export async function bundleStart(home: string): Promise<string> {
  return await bundleAlone(home, 'scripts/build/start.ts', 'cjs');
}

async function bundleAlone(home: string, input: string, format: 'cjs' | 'esm'): Promise<string> {
  const [chunk, ...more] = await bundle(home, input, format);
  if (more.length > 0) throw new Error(`${input} loads something lazily`);
  return chunk!.code;
}

async function bundle(home: string, input: string, format: 'cjs' | 'esm'): Promise<OutputChunk[]> {
  await using build = await rolldown({
    cwd: home,
    input,
    platform: 'node',
    plugins: [workersInside(home)],
    // Only where a module is lazy for one command, and not for another.
    checks: { ineffectiveDynamicImport: false },
    onLog: (_level, { message }) => {
      throw new Error(`bundling ${input}: ${message}`);
    },
    // Its parentheses tell V8 to compile what nobody may ever call.
    optimization: { pifeForModuleWrappers: false },
  });
  const { output } = await build.generate({
    format,
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    dynamicImportInCjs: false,
    comments: false,
    // Names stay: a stack trace is to be read.
    minify: { mangle: false, compress: true, codegen: true },
  });
  return output.map((chunk) => {
    // Both would be looked for beside the executable.
    if (chunk.type !== 'chunk' || /\bimport\.meta\b|\b__(file|dir)name\b/.test(chunk.code)) {
      throw new Error(`${chunk.fileName} asks for a file, and there is none in an executable`);
    }
    return chunk;
  });
}

/** A thread's module has no file to be loaded from: it becomes the URL itself. */
function workersInside(home: string): Plugin {
  return {
    name: 'workers-inside',
    transform: {
      filter: { code: 'import.meta.url' },
      async handler(source, id) {
        let code = source;
        for (const [whole, module] of source.matchAll(WORKER_URL)) {
          const path = relative(home, join(dirname(id), module!));
          const worker = await bundleAlone(home, path, 'esm');
          const url = `data:text/javascript,${encodeURIComponent(worker)}`;
          code = code.replace(whole, () => `new URL(${JSON.stringify(url)})`);
        }
        return { code };
      },
    },
  };
}

/** '' for a module of our own. */
function packageOf(path: string): string {
  return /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? '';
}
