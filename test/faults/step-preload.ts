// Loaded into an etcdkeep before anything of its own (NODE_OPTIONS=--import): every effect that the run has on
// files below some directories is a step. Each is written down just before it is made, and before one
// of them the process gets a signal, as if somebody had sent it at that very moment; or that one fails, and with
// ENOSPC every later one that takes room, as if the disk were full from that moment on.

import callbacks, { appendFileSync, constants } from 'node:fs';
import promises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { delimiter, resolve, sep } from 'node:path';

const {
  ETCDKEEP_STEPS_BELOW = '',
  ETCDKEEP_STEPS_LOG = '',
  ETCDKEEP_STEPS_AT = '',
  ETCDKEEP_STEPS_SIGNAL = '',
  ETCDKEEP_STEPS_ERROR = '',
} = process.env;

const directories = ETCDKEEP_STEPS_BELOW.split(delimiter);
/** The number of the step, or what it is called. */
const at = ETCDKEEP_STEPS_AT;
let count = 0;
let isReached = false;

/** What a full disk refuses; names may still go and be changed. */
const TAKES_ROOM = ['mkdir', 'mkdtemp', 'create', 'write', 'writeFile', 'link'];

/** SIGKILL ends the process in here: the step is not made. Any other signal is answered after it. */
function step(call: string, path: string): void {
  const file = resolve(path);
  if (!directories.some((one) => file === one || file.startsWith(one + sep))) return;
  count += 1;
  appendFileSync(ETCDKEEP_STEPS_LOG, `${JSON.stringify({ call, file })}\n`);
  const isHere = !isReached && isAt(call, file);
  isReached ||= isHere;
  if (isHere && ETCDKEEP_STEPS_SIGNAL !== '') process.kill(process.pid, ETCDKEEP_STEPS_SIGNAL);
  const isFull = isReached && ETCDKEEP_STEPS_ERROR === 'ENOSPC' && TAKES_ROOM.includes(call);
  if (ETCDKEEP_STEPS_ERROR !== '' && (isHere || isFull)) fail(call, file);
}

/** A number is that of the step alone: names of files end with one as well. */
function isAt(call: string, file: string): boolean {
  return /^\d*$/.test(at) ? count === Number(at) : `${call} ${file}`.endsWith(at);
}

function fail(call: string, file: string): never {
  const code = ETCDKEEP_STEPS_ERROR;
  throw Object.assign(new Error(`${code}: made to fail, ${call} '${file}'`), { code });
}

type Call = (this: object, ...args: unknown[]) => unknown;

/** Makes steps of some calls, each about the path that is found in its arguments. */
function makeSteps(owner: object, names: readonly string[], pathOf: Call): void {
  const calls = owner as Record<string, Call>;
  for (const name of names) {
    const original = calls[name]!;
    calls[name] = function (...args) {
      const path = pathOf.apply(this, args);
      try {
        if (path !== undefined) step(name, (path as string | Buffer).toString());
      } catch (reason) {
        const done = args.at(-1);
        if (typeof done !== 'function') throw reason;
        process.nextTick(done, reason);
        return undefined;
      }
      return original.apply(this, args);
    };
  }
}

const first: Call = (path) => path;
const second: Call = (_, path) => path;

makeSteps(promises, ['mkdir', 'mkdtemp', 'unlink', 'rmdir'], first);
makeSteps(promises, ['link', 'rename', 'copyFile'], second);
// A promised rm() is made of these, which it takes from the module when it is first used.
makeSteps(callbacks, ['unlink', 'rmdir'], first);

/** Under which name an open file was opened. */
const names = new WeakMap<object, string>();

const sample = await promises.open('/dev/null');
makeSteps(
  Object.getPrototypeOf(sample) as object,
  ['write', 'writeFile', 'truncate', 'sync', 'datasync'],
  function () {
    return names.get(this);
  },
);
await sample.close();

const { open } = promises;
promises.open = async (path, flags = 'r', mode): Promise<FileHandle> => {
  const creates = typeof flags === 'number' ? flags & constants.O_CREAT : /[wa]/.test(flags);
  const name = (path as string | Buffer).toString();
  if (creates) step('create', name);
  const file = await open(path, flags, mode);
  names.set(file, name);
  return file;
};

// One call, and two effects.
promises.writeFile = async (path, data, options): Promise<void> => {
  const { mode } = options as { readonly mode: number };
  const file = await promises.open(path as string, 'w', mode);
  try {
    await file.writeFile(data as string);
  } finally {
    await file.close();
  }
};

syncBuiltinESMExports();
