// The images of a node, made without a registry and without a daemon: an OCI layout that holds the blobs of all of them, and
// an index for each layout of a host that gives them the names its manifests use.
// Shapes: the OCI image specification (image-layout.md, manifest.md, config.md); containerd imports an index by its annotation
// io.containerd.image.name (core/images/annotations.go).
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { lastLine, runCommand } from '../command.ts';
import { KUBERNETES_VERSION } from '../kubernetes.ts';
import type { Part } from '../parts.ts';
import { SYSTEM } from './debian.ts';
import { NODE_ETCD_VERSION, type NodePrograms } from './programs.ts';

export type LayoutName = 'openshift' | 'kubeadm';

/** What each image is for. `tools` is one with a shell, for workloads and debug pods. */
export type ImageName =
  | 'etcd'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'pause'
  | 'tools';

/** Full names, as in a manifest. */
export type ImageNames = Readonly<Record<ImageName, string>>;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const OCI = 'application/vnd.oci.image';
const ARCHITECTURE = { x64: 'amd64', arm64: 'arm64' }[process.arch as 'x64' | 'arm64'];
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** All images of OpenShift's are in one repository, and named by their digests. */
const OPENSHIFT = 'quay.io/openshift-release-dev/ocp-v4.0-art-dev';
const KUBERNETES = 'registry.k8s.io';
const TOOLS = 'registry.example.com/tools:1';

const TIMEOUT_MS = 5 * 60_000;

/** Changes with what the images are made of, or how. */
const VERSION = ['1', KUBERNETES_VERSION, NODE_ETCD_VERSION, SYSTEM.version].join('-');

/** The images' directory. @param system the system's root directory, and the programs: as they are found */
export function images(system: string, programs: NodePrograms): Part {
  return {
    name: 'node-images',
    version: VERSION,
    maker: 'the programs and packages',
    make: (directory) => new Builder(join(directory, 'node-images'), system, programs).build(),
  };
}

/** The names that a layout's images have. */
export async function imageNames(directory: string, layout: LayoutName): Promise<ImageNames> {
  return JSON.parse(await readFile(join(directory, `${layout}-names.json`), 'utf8')) as ImageNames;
}

class Builder {
  readonly #directory: string;
  readonly #system: string;
  readonly #programs: NodePrograms;

  constructor(directory: string, system: string, programs: NodePrograms) {
    this.#directory = directory;
    this.#system = system;
    this.#programs = programs;
  }

  async build(): Promise<void> {
    await mkdir(join(this.#directory, 'blobs/sha256'), { recursive: true });
    await this.#write('oci-layout', { imageLayoutVersion: '1.0.0' });
    const base = await this.#layer(['--directory', this.#system, '.']);
    const etcd = await this.#programLayer(['etcd', 'etcdctl', 'etcdutl']);
    const names = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const;
    const layers = await Promise.all(names.map((name) => this.#programLayer([name])));
    const pause = await this.#image([base], ['/usr/bin/sleep', 'infinity']);
    const tools = await this.#image([base], ['/bin/bash']);

    // OpenShift's have a shell and its tools; the three of Kubernetes are in one image.
    const hyperkube = await this.#image([base, ...layers]);
    const byDigest = ({ digest }: Descriptor): string => `${OPENSHIFT}@${digest}`;
    const etcdWithTools = await this.#image([base, etcd]);
    await this.#index('openshift', {
      etcd: [byDigest(etcdWithTools), etcdWithTools],
      'kube-apiserver': [byDigest(hyperkube), hyperkube],
      'kube-controller-manager': [byDigest(hyperkube), hyperkube],
      'kube-scheduler': [byDigest(hyperkube), hyperkube],
      pause: [byDigest(pause), pause],
      tools: [TOOLS, tools],
    });

    // Upstream's have nothing but the program; that of etcd has a shell, and no tools (cluster/images/etcd/Dockerfile).
    const shell = await this.#layer([
      ...['--directory', join(this.#system, 'usr/bin'), '--transform', 's,.*,bin/sh,'],
      'bash-static',
    ]);
    const [apiServer, manager, scheduler] = (await Promise.all(
      layers.map((layer) => this.#image([layer])),
    )) as [Descriptor, Descriptor, Descriptor];
    const released = `v${KUBERNETES_VERSION}`;
    await this.#index('kubeadm', {
      etcd: [`${KUBERNETES}/etcd:${NODE_ETCD_VERSION}-0`, await this.#image([shell, etcd])],
      'kube-apiserver': [`${KUBERNETES}/kube-apiserver:${released}`, apiServer],
      'kube-controller-manager': [`${KUBERNETES}/kube-controller-manager:${released}`, manager],
      'kube-scheduler': [`${KUBERNETES}/kube-scheduler:${released}`, scheduler],
      pause: [`${KUBERNETES}/pause:3.10.1`, pause],
      tools: [TOOLS, tools],
    });
  }

  /** A layer with programs in /usr/local/bin. */
  #programLayer(names: readonly (keyof NodePrograms)[]): Promise<Descriptor> {
    const files = names.flatMap((name) => ['--directory', dirname(this.#programs[name]), name]);
    return this.#layer(['--transform', 's,^,usr/local/bin/,', '--mode', '0755', ...files]);
  }

  /** A layer that is not compressed: its digest is that of the image's config as well. */
  async #layer(args: readonly string[]): Promise<Descriptor> {
    const file = join(this.#directory, `layer-${Math.random()}`);
    const owner = ['--numeric-owner', '--owner=0', '--group=0', '--sort=name'];
    const { code, stderr } = await runCommand('tar', ['-cf', file, ...owner, ...args], {
      timeoutMs: TIMEOUT_MS,
    });
    if (code !== 0) throw new Error(`tar failed: ${lastLine(stderr)}`);
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    const hex = hash.digest('hex');
    const { size } = await stat(file);
    await rename(file, this.#blob(hex));
    return { mediaType: `${OCI}.layer.v1.tar`, digest: `sha256:${hex}`, size };
  }

  async #image(layers: readonly Descriptor[], entrypoint?: readonly string[]): Promise<Descriptor> {
    const config = await this.#json('config', {
      architecture: ARCHITECTURE,
      os: 'linux',
      config: { Env: [`PATH=${PATH}`], ...(entrypoint !== undefined && { Cmd: entrypoint }) },
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    });
    return await this.#json('manifest', { schemaVersion: 2, config, layers });
  }

  async #json(kind: 'config' | 'manifest', content: object): Promise<Descriptor> {
    const mediaType = `${OCI}.${kind}.v1+json`;
    const text = JSON.stringify(kind === 'manifest' ? { mediaType, ...content } : content);
    const hex = createHash('sha256').update(text).digest('hex');
    await writeFile(this.#blob(hex), text);
    return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(text) };
  }

  async #index(
    layout: LayoutName,
    named: Readonly<Record<ImageName, readonly [name: string, image: Descriptor]>>,
  ): Promise<void> {
    const byName = new Map(Object.values(named));
    const manifests = [...byName].map(([name, image]) => ({
      ...image,
      annotations: { 'io.containerd.image.name': name },
    }));
    await this.#write(`${layout}.json`, { schemaVersion: 2, manifests });
    const names = Object.entries(named).map(([key, [name]]) => [key, name]);
    await this.#write(`${layout}-names.json`, Object.fromEntries(names));
  }

  #write(name: string, content: unknown): Promise<void> {
    return writeFile(join(this.#directory, name), JSON.stringify(content));
  }

  #blob(hex: string): string {
    return join(this.#directory, 'blobs/sha256', hex);
  }
}
