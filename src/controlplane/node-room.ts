// How much room a node has, as its kubelet tells through the API server (k8s.io/kubelet, pkg/apis/stats/v1alpha1: Summary). Who
// may ask may do much else on the node, so the role in deploy/ does not have it: then it is not known.

import { z } from 'zod';
import type { ApiClient } from '../kubernetes/api-client.ts';

/** What the kubelet has its own directory on: of a control-plane host that is where /var is. */
const schema = z.object({
  node: z.object({ fs: z.object({ availableBytes: z.number().nonnegative() }) }),
});

/**
 * Asks the kubelets of nodes.
 * @returns bytes, by the name of the node; none for one that cannot be asked
 * @throws the signal's reason
 */
export async function roomOfNodes(
  api: ApiClient,
  names: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const asked = await Promise.all(
    names.map(async (name) => {
      const answer = await api
        .get(`/api/v1/nodes/${name}/proxy/stats/summary`)
        .catch(() => undefined);
      return [name, schema.safeParse(answer).data?.node.fs.availableBytes] as const;
    }),
  );
  signal.throwIfAborted();
  return new Map(asked.filter((one): one is [string, number] => one[1] !== undefined));
}
