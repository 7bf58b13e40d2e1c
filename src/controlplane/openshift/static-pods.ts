// The static pods of an OpenShift control plane, at the revision that the kubelet is told to run.

import { EtcdkeepError } from '../../base/errors.ts';
import { type Host, MANIFESTS, STATIC_POD_RESOURCES } from '../host.ts';
import type { StaticPod, StaticPods } from '../layout.ts';

/** In the order in which the documented procedure names them. */
export const STATIC_POD_NAMES = [
  'kube-apiserver-pod',
  'kube-controller-manager-pod',
  'kube-scheduler-pod',
  'etcd-pod',
] as const;

type StaticPodName = (typeof STATIC_POD_NAMES)[number];

/** There only where encryption has ever been on. */
export const ENCRYPTION_CONFIG = 'secrets/encryption-config/encryption-config';

/**
 * Finds the four pods. The latest revision is the one that the manifest on this host names; the
 * newest directory may be one that is still being installed, or an old one that was touched.
 * @throws EtcdkeepError `static-pod-missing`, `static-pod-revision-missing`, `file-failed`
 */
export async function findOpenshiftPods(host: Host): Promise<StaticPods> {
  const pods: StaticPod[] = [];
  for (const name of STATIC_POD_NAMES) pods.push(await findOpenshiftPod(host, name));
  const encryptionConfig = `${pods[0]!.path}/${ENCRYPTION_CONFIG}`;
  return {
    pods,
    resources: pods.map(({ path }) => path),
    encryptionConfig: (await host.isFile(encryptionConfig)) ? encryptionConfig : undefined,
  };
}

/** @throws EtcdkeepError `static-pod-missing`, `static-pod-revision-missing`, `file-failed` */
export async function findOpenshiftPod(host: Host, name: StaticPodName): Promise<StaticPod> {
  const manifest = `${MANIFESTS}/${name}.yaml`;
  if (!(await host.isFile(manifest))) {
    throw new EtcdkeepError('static-pod-missing', `this host runs no ${name}: it has no manifest`, {
      path: host.realPath(manifest),
    });
  }
  const match = revisionPattern(name).exec(await host.readText(manifest));
  if (match === null) {
    throw new EtcdkeepError(
      'static-pod-revision-missing',
      `the manifest of ${name} names no revision`,
      { path: host.realPath(manifest) },
    );
  }
  const [path, revision] = match;
  if (!(await host.isDirectory(path))) {
    throw new EtcdkeepError(
      'static-pod-revision-missing',
      `revision ${revision!} of ${name} is named by its manifest and not on this host`,
      { path: host.realPath(path) },
    );
  }
  return { name, revision: Number(revision), path };
}

/**
 * The revision that the manifest names, whether its directory is there or not.
 * @returns undefined if there is no manifest, or it names none
 * @throws EtcdkeepError `file-failed`
 */
export async function revisionNamed(host: Host, name: StaticPodName): Promise<number | undefined> {
  const manifest = `${MANIFESTS}/${name}.yaml`;
  if (!(await host.isFile(manifest))) return undefined;
  return revisionOf(name, await host.readText(manifest));
}

/** The same of the text of a manifest. */
export function revisionOf(name: StaticPodName, text: string): number | undefined {
  const match = revisionPattern(name).exec(text);
  return match === null ? undefined : Number(match[1]);
}

function revisionPattern(name: StaticPodName): RegExp {
  return new RegExp(`${STATIC_POD_RESOURCES}/${name}-(\\d+)`);
}
