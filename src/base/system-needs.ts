// What the executable needs of a system that it is sent to: the dynamic loader, glibc and the C++ library that its Node is
// linked with. The loader itself tells whether they are there, before anything of the executable runs.

/** Where an executable of a machine looks for the dynamic loader (its PT_INTERP), by what `uname -m` prints. */
const LOADERS: Readonly<Record<string, string>> = {
  x86_64: '/lib64/ld-linux-x86-64.so.2',
  aarch64: '/lib/ld-linux-aarch64.so.1',
};

/** How a command that was run elsewhere has ended. */
export interface LoaderAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The command that asks a system for what the executable needs. It needs neither a shell nor ldd there.
 * @param machine as `uname -m` prints it
 * @param executable its path there
 * @returns undefined for a machine that no executable is made for
 */
export function loaderQuestion(machine: string, executable: string): string[] | undefined {
  const loader = LOADERS[machine];
  return loader === undefined ? undefined : [loader, '--list', executable];
}

/**
 * What a system lacks, from the answer to that question, or from what the executable itself has come to there: the loader says
 * the same words then (glibc's elf/dl-load.c, dl-version.c).
 * @returns a noun for each; none where it can run
 */
export function lackingNeeds({ code, stdout, stderr }: LoaderAnswer): string[] {
  const text = `${stdout}\n${stderr}`;
  const libraries = text.matchAll(/(\S+) => not found|shared libraries: (\S+): cannot open/g);
  const versions = text.matchAll(/(\S+): version `([^']+)' not found/g);
  const lacking = new Set([
    ...[...libraries].map(([, listed, opened]) => (listed ?? opened)!),
    ...[...versions].map(([, library, version]) => `${version!} in ${library!}`),
  ]);
  if (lacking.size > 0) return [...lacking];
  // Without its loader a program is as good as missing to the kernel: ENOENT, which shells and runtimes put in their own words.
  if (code !== 0 && /no such file|not found/i.test(text)) return ['the dynamic loader of glibc'];
  return [];
}
