// What a restore reports while it works. The CLI draws it; nothing here prints.

import type { StepName } from './journal.ts';

export type RestoreEvent =
  | { readonly kind: 'step-begun'; readonly step: StepName }
  | { readonly kind: 'step-done'; readonly step: StepName }
  /** It is undone: the same steps, the last one first. */
  | { readonly kind: 'step-undone'; readonly step: StepName }
  | { readonly kind: 'build-progress'; readonly bytes: number; readonly totalBytes: number }
  /** Once a second until nothing holds the data any more. */
  | {
      readonly kind: 'waiting-for-stop';
      readonly elapsedMs: number;
      /** Who is still there, in words. */
      readonly holders: readonly string[];
    }
  /** What was not found out about etcd's end, because it cannot be asked here. */
  | { readonly kind: 'stop-proven'; readonly unknown: readonly string[] }
  /** Something has put a manifest there meanwhile. It was taken away again, and is kept. */
  | { readonly kind: 'manifest-written-back'; readonly path: string; readonly keptAs: string }
  /** Something has made a file or directory meanwhile that is in the way. It is kept. */
  | { readonly kind: 'appeared-meanwhile'; readonly path: string; readonly keptAs: string }
  /** Once a second until etcd serves: what it does instead. */
  | { readonly kind: 'waiting-for-etcd'; readonly elapsedMs: number; readonly observed: string }
  /** A line of the host's own script. */
  | { readonly kind: 'script-output'; readonly line: string };

export type RestoreReport = (event: RestoreEvent) => void;
