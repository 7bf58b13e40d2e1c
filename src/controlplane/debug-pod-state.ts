// A debug pod as the API server tells of it: whether it runs, will never run, or has ended, and why.

import { z } from 'zod';

/** Why a container that waits will not start (k8s.io/kubernetes, pkg/kubelet/images/types.go, kuberuntime). */
const HOPELESS = [
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
];

const words = z.object({ reason: z.string().default(''), message: z.string().default('') });

export const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    deletionTimestamp: z.string().optional(),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  status: z.object({
    phase: z.string().default('Pending'),
    reason: z.string().default(''),
    message: z.string().default(''),
    containerStatuses: z
      .array(
        z.object({
          state: z.object({ waiting: words.optional(), terminated: words.optional() }),
        }),
      )
      .default([]),
  }),
});
export type Pod = z.infer<typeof podSchema>;

/** Whether it has run, and will not again. */
export function hasEnded({ phase }: Pod['status']): boolean {
  return phase === 'Failed' || phase === 'Succeeded';
}

/** Why it has ended, in words. @returns undefined if it has not */
export function endOf({ status }: Pod): string | undefined {
  if (!hasEnded(status)) return undefined;
  const { reason, message } = status.containerStatuses[0]?.state.terminated ?? {};
  const why = status.message || message?.trim().split('\n').at(-1) || status.reason || reason;
  return `has ended: ${why || status.phase}`;
}

/** Why it does not run yet, in words; and whether it ever will. */
export function waitOf({ status }: Pod): { readonly why: string; readonly isHopeless: boolean } {
  const { reason = '', message } = status.containerStatuses[0]?.state.waiting ?? {};
  const why = [reason, message].filter(Boolean).join(': ');
  return { why, isHopeless: HOPELESS.includes(reason) };
}
