// An image as one tar file, without a registry or a daemon: an OCI image layout, with the index that older versions of
// `docker load` look for beside it.

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { packTar } from 'modern-tar';
import type { Architecture } from './architectures.ts';
import { type Entry, file } from './image-root.ts';

export interface ImageRequest {
  readonly architecture: Architecture;
  readonly version: string;
  /** The files of each layer, lowest first. */
  readonly layers: readonly (readonly Entry[])[];
}

/** What is left to say to a container that runs it: as root it may read what etcd's host keeps for root. */
const PROCESS = {
  User: '0:0',
  Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  Entrypoint: ['/usr/bin/etcdkeep'],
  WorkingDir: '/',
};

/** Of no time, so that two builds are the same. */
const CREATED = '1970-01-01T00:00:00Z';

interface Blob {
  readonly descriptor: {
    readonly mediaType: string;
    readonly digest: string;
    readonly size: number;
  };
  readonly bytes: Uint8Array;
}

/** The name under which an image of this version is found once it is loaded. */
export function imageName(version: string): string {
  return `localhost/etcdkeep:${version}`;
}

/** @returns the bytes of the tar file */
export async function makeImage({ architecture, version, layers }: ImageRequest): Promise<Buffer> {
  const archives = await Promise.all(layers.map(pack));
  const packed = archives.map((archive) =>
    blob('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(archive)),
  );
  const config = json('application/vnd.oci.image.config.v1+json', {
    created: CREATED,
    architecture,
    os: 'linux',
    config: {
      ...PROCESS,
      Labels: {
        'org.opencontainers.image.title': 'etcdkeep',
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.licenses': 'Apache-2.0',
      },
    },
    rootfs: { type: 'layers', diff_ids: archives.map(digestOf) },
    history: archives.map(() => ({ created: CREATED, created_by: 'npm run build' })),
  });
  const manifest = json('application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: config.descriptor,
    layers: packed.map(({ descriptor }) => descriptor),
  });
  const blobs = [...packed, config, manifest];
  return await pack([
    file('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' })),
    file('index.json', JSON.stringify(indexOf(manifest, architecture, version))),
    file('manifest.json', JSON.stringify(dockersIndex(config, packed, version))),
    ...blobs.map(({ descriptor, bytes }) => file(pathOf(descriptor.digest), bytes)),
  ]);
}

function indexOf(manifest: Blob, architecture: Architecture, version: string): unknown {
  const annotations = {
    'io.containerd.image.name': imageName(version),
    'org.opencontainers.image.ref.name': version,
  };
  return {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ ...manifest.descriptor, platform: { architecture, os: 'linux' }, annotations }],
  };
}

function dockersIndex(config: Blob, layers: readonly Blob[], version: string): unknown {
  return [
    {
      Config: pathOf(config.descriptor.digest),
      RepoTags: [imageName(version)],
      Layers: layers.map(({ descriptor }) => pathOf(descriptor.digest)),
    },
  ];
}

function json(mediaType: string, value: unknown): Blob {
  return blob(mediaType, Buffer.from(JSON.stringify(value)));
}

function blob(mediaType: string, bytes: Uint8Array): Blob {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function pathOf(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

async function pack(entries: readonly Entry[]): Promise<Buffer> {
  return Buffer.from(await packTar([...entries]));
}
