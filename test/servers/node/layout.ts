// What differs between the nodes of two distributions: which files lie where, and what their API has from the start.
import { below, type FileTree } from '../../fixtures/file-tree.ts';
import type { ApiRequests } from '../api-requests.ts';
import type { ImageNames } from './images.ts';
import type { NodePki, Pair } from './node-pki.ts';

/** What a layout is made for. */
export interface NodeContents {
  readonly nodeName: string;
  readonly address: string;
  readonly images: ImageNames;
  readonly pki: NodePki;
  /** How long the API server goes on when it was told to end: it always takes all of that. */
  readonly terminationGracePeriodSeconds: number;
}

export interface NodeLayout {
  /** By their paths on the node. */
  readonly files: FileTree;
  /** Manifests of pods that would end without an API, and be started again ever more slowly. */
  readonly laterManifests: FileTree;
  /** Where the kubelet finds its configuration and its kubeconfig. */
  readonly kubelet: { readonly config: string; readonly kubeconfig: string };
  /** The pods of the manifests, as the API knows them. */
  readonly staticPods: readonly { readonly namespace: string; readonly name: string }[];
  /** Makes what has to be there before the static pods can be seen in the API. */
  readonly prepareApi: (api: ApiRequests) => Promise<void>;
  /** Makes everything else, when the node is ready. */
  readonly completeApi: (api: ApiRequests) => Promise<void>;
}

/** Where the kubelet looks for manifests. */
export const MANIFESTS = 'etc/kubernetes/manifests';

/** `<name>.crt` and `<name>.key`. */
export function pairFiles(name: string, { cert, key }: Pair): FileTree {
  return { [`${name}.crt`]: cert, [`${name}.key`]: key };
}

/** A pair as the files of a secret of type TLS. */
export function tlsFiles(directory: string, { cert, key }: Pair): FileTree {
  return below(directory, { 'tls.crt': cert, 'tls.key': key });
}
