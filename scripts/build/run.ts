// Programs that the build calls.

import { execFile } from 'node:child_process';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** A tar of a Debian package, unpacked. */
const OUTPUT_BYTES_MAX = 256 << 20;

/**
 * Runs a program to its end.
 * @returns what it wrote to stdout
 * @throws Error if it fails, with what it said
 */
export async function run(
  file: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const all = { ...options, encoding: 'buffer', maxBuffer: OUTPUT_BYTES_MAX } as const;
  execFile(file, args, all, (failure, stdout, stderr) => {
    if (failure === null) resolve(stdout);
    else
      reject(
        new Error(`${file} ${args.join(' ')} failed: ${stderr.toString() || failure.message}`),
      );
  });
  return await promise;
}
