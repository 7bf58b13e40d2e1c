// Programs of the host itself, such as its container runtime's. Where the host is seen as a directory they run inside it.

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Host } from './host.ts';

/** The usual PATH of root; on OpenShift's hosts oc, crictl and the like are in the second. */
const PROGRAM_DIRECTORIES = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
];

/** A listing of containers, or the end of a log. */
const OUTPUT_BYTES_MAX = 4 << 20;

export interface HostCommandResult {
  /** 128 and the number of the signal if one has ended it; -1 if it could not be started or took too long. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line that runs a program on the host. */
export interface HostCommand {
  readonly file: string;
  readonly args: readonly string[];
}

/**
 * Finds a program of the host.
 * @param program its name, or its path as the host knows it
 * @returns undefined if the host has none
 */
export async function findHostCommand(
  host: Host,
  program: string,
): Promise<HostCommand | undefined> {
  const places = isAbsolute(program)
    ? [program]
    : PROGRAM_DIRECTORIES.map((directory) => join(directory, program));
  for (const place of places) {
    const isProgram = await access(host.realPath(place), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!isProgram) continue;
    if (host.root === '/') return { file: place, args: [] };
    return { file: 'chroot', args: [host.root, place] };
  }
  return undefined;
}

/** Runs a program of the host to its end, or until it has taken too long. Never throws. */
export async function runHostCommand(
  { file, args }: HostCommand,
  more: readonly string[],
  timeoutMs: number,
): Promise<HostCommandResult> {
  return await new Promise((resolve) => {
    const options = {
      timeout: timeoutMs,
      maxBuffer: OUTPUT_BYTES_MAX,
      killSignal: 'SIGKILL',
    } as const;
    execFile(file, [...args, ...more], options, (failure, stdout, stderr) => {
      const code = failure === null ? 0 : failure.code;
      resolve({ code: typeof code === 'number' ? code : -1, stdout, stderr });
    });
  });
}
