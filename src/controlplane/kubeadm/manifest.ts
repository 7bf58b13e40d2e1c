// The manifest of a static pod as kubeadm writes it: the flags of its one container, and which paths of
// the host it mounts.

import { z } from 'zod';
import { EtcdkeepError } from '../../base/errors.ts';
import { parseYaml, YamlSyntaxError } from '../../base/yaml.ts';
import { type Host, MANIFESTS } from '../host.ts';

// k8s.io/api/core/v1, types.go: Pod, PodSpec, Container, VolumeMount, HostPathVolumeSource.
const schema = z.object({
  kind: z.literal('Pod'),
  spec: z.object({
    containers: z
      .array(
        z.object({
          image: z.string().default(''),
          command: z.array(z.string()).default([]),
          args: z.array(z.string()).default([]),
          volumeMounts: z
            .array(z.object({ name: z.string(), mountPath: z.string().startsWith('/') }))
            .default([]),
        }),
      )
      .min(1),
    volumes: z
      .array(
        z.object({
          name: z.string(),
          hostPath: z.object({ path: z.string().startsWith('/') }).optional(),
        }),
      )
      .default([]),
  }),
});

interface Mount {
  readonly container: string;
  readonly host: string;
}

export class PodManifest {
  /** As the host knows it. */
  readonly path: string;
  /** `registry.k8s.io/etcd:3.6.8-0`; empty if it names none. */
  readonly image: string;
  readonly #host: Host;
  readonly #words: readonly string[];
  readonly #mounts: readonly Mount[];

  /** @throws EtcdkeepError `manifest-invalid` */
  constructor(host: Host, path: string, text: string) {
    this.path = path;
    this.#host = host;
    const parsed = schema.safeParse(this.#parse(text));
    if (!parsed.success) {
      const { message, path: field } = parsed.error.issues[0]!;
      throw this.invalid(`at ${field.join('.') || 'its top'}: ${message}`);
    }
    const { containers, volumes } = parsed.data.spec;
    const { image, command, args, volumeMounts } = containers[0]!;
    this.image = image;
    this.#words = [...command, ...args];
    this.#mounts = volumeMounts.flatMap(({ name, mountPath }) => {
      const path = volumes.find((volume) => volume.name === name)?.hostPath?.path;
      return path === undefined ? [] : [{ container: trimmed(mountPath), host: trimmed(path) }];
    });
  }

  /** The paths of the host that the container mounts. */
  get hostPaths(): readonly string[] {
    return this.#mounts.map(({ host }) => host);
  }

  /** The value of `--name=value` or `--name value`; the last one counts. */
  flag(name: string): string | undefined {
    const word = this.#words.findLastIndex(
      (each) => each === `--${name}` || each.startsWith(`--${name}=`),
    );
    if (word < 0) return undefined;
    const [, value] = this.#words[word]!.split(/=(.*)/s);
    return value ?? this.#words[word + 1];
  }

  /** @throws EtcdkeepError `manifest-invalid` if there is none */
  demand(name: string): string {
    const value = this.flag(name);
    if (value === undefined || value === '') throw this.invalid(`it has no --${name}`);
    return value;
  }

  /**
   * Where a path of the container lies on the host.
   * @throws EtcdkeepError `manifest-invalid` if it is in no volume of the host
   */
  onHost(containerPath: string): string {
    const { container, host } = this.#mountBelow(containerPath);
    return host + containerPath.slice(container.length);
  }

  /**
   * The volume, by its path on the host, that holds a path of the container.
   * @throws EtcdkeepError `manifest-invalid` if there is none
   */
  mountOf(containerPath: string): string {
    return this.#mountBelow(containerPath).host;
  }

  #mountBelow(containerPath: string): Mount {
    const mounts = this.#mounts.filter(({ container }) =>
      `${containerPath}/`.startsWith(`${container}/`),
    );
    const [deepest] = mounts.toSorted((a, b) => b.container.length - a.container.length);
    if (deepest !== undefined) return deepest;
    throw this.invalid(`${containerPath} is in no volume of the host`);
  }

  invalid(why: string): EtcdkeepError {
    return new EtcdkeepError('manifest-invalid', `cannot use the manifest: ${why}`, {
      path: this.#host.realPath(this.path),
    });
  }

  #parse(text: string): unknown {
    try {
      return parseYaml(text);
    } catch (reason) {
      if (reason instanceof YamlSyntaxError) throw this.invalid(reason.message);
      throw reason;
    }
  }
}

/**
 * Reads a manifest of the host.
 * @param name `etcd`, `kube-apiserver`
 * @throws EtcdkeepError `static-pod-missing`, `manifest-invalid`, `file-failed`
 */
export async function readPodManifest(host: Host, name: string): Promise<PodManifest> {
  const path = `${MANIFESTS}/${name}.yaml`;
  if (!(await host.isFile(path))) {
    throw new EtcdkeepError('static-pod-missing', `this host runs no ${name}: it has no manifest`, {
      path: host.realPath(path),
    });
  }
  return new PodManifest(host, path, await host.readText(path));
}

function trimmed(path: string): string {
  return path.replace(/\/+$/, '');
}
