// What a use case reports while it works. The CLI draws it; nothing here prints.

import type { LayoutName } from '../controlplane/host.ts';
import type { CheckResult, SkippedCheck } from './checks/result.ts';
import type { SourceMember } from './save.ts';

export type BackupEvent =
  | {
      readonly kind: 'host-found';
      readonly name: string;
      readonly layout: LayoutName;
      /** The cluster-wide proxy without its credentials; undefined if the host has none. */
      readonly proxy: string | undefined;
    }
  | {
      readonly kind: 'checks-made';
      readonly checks: readonly CheckResult[];
      readonly skipped: readonly SkippedCheck[];
    }
  /** A static pod and the host path of the revision that will be archived. */
  | { readonly kind: 'static-pod-found'; readonly pod: string; readonly path: string }
  | { readonly kind: 'snapshot-started'; readonly member: SourceMember }
  | { readonly kind: 'snapshot-progress'; readonly bytes: number; readonly totalBytes: number }
  /** All bytes are here and on the disk; the tree is walked next. */
  | { readonly kind: 'snapshot-received' }
  | { readonly kind: 'archive-started' }
  /** The static pods changed while their resources were archived; it is done again. */
  | { readonly kind: 'archive-outdated'; readonly attempt: number }
  /** What does not stop the backup. */
  | { readonly kind: 'warning'; readonly words: string };

export type Report = (event: BackupEvent) => void;
