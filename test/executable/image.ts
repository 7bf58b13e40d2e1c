// The image, opened without a container runtime: a layout of files, and layers that are unpacked one over another.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type CommandResult, runCommand } from '../servers/command.ts';
import { findOnPath } from '../servers/processes.ts';
import { IMAGE } from './built.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface Image {
  readonly manifest: Descriptor;
  readonly config: {
    readonly architecture: string;
    readonly config: { readonly Entrypoint: readonly string[]; readonly User: string };
    readonly rootfs: { readonly diff_ids: readonly string[] };
  };
  readonly layers: readonly Descriptor[];
  /** What `docker load` reads. */
  readonly dockers: readonly {
    readonly Config: string;
    readonly RepoTags: readonly string[];
    readonly Layers: readonly string[];
  }[];
  /** Bytes of a blob, once they are found to be what their descriptor says. */
  readonly blob: (descriptor: Descriptor) => Buffer;
}

/** @param directory an empty one */
export function openImage(directory: string): Image {
  execFileSync('tar', ['-xf', IMAGE, '-C', directory]);
  const json = (path: string): unknown => JSON.parse(readFileSync(join(directory, path), 'utf8'));
  const blob = ({ digest, size }: Descriptor): Buffer => {
    const bytes = readFileSync(join(directory, 'blobs', digest.replace(':', '/')));
    const found = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (found !== digest || bytes.length !== size) throw new Error(`${digest} is ${found}`);
    return bytes;
  };
  const [manifest] = (json('index.json') as { manifests: Descriptor[] }).manifests;
  const { config, layers } = JSON.parse(blob(manifest!).toString()) as {
    config: Descriptor;
    layers: Descriptor[];
  };
  return {
    manifest: manifest!,
    config: JSON.parse(blob(config).toString()) as Image['config'],
    layers,
    dockers: json('manifest.json') as Image['dockers'],
    blob,
  };
}

/** Unpacks its layers, as a container would see them. */
export function unpackImage(image: Image, directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const layer of image.layers) {
    execFileSync('tar', ['-xp', '-C', directory], { input: gunzipSync(image.blob(layer)) });
  }
}

/** Runs something in such a root, without any variable of the environment. */
export function runInside(root: string, line: readonly string[]): Promise<CommandResult> {
  return runCommand('env', ['-i', findOnPath('chroot')!, root, ...line]);
}
