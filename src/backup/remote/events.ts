// What a backup that is taken from a workstation reports, beside what the node reports of its own.

import type { LayoutName } from '../../controlplane/host.ts';
import type { BackupEvent } from '../events.ts';

export type RemoteEvent =
  | BackupEvent
  /** Which node, and why that one. */
  | {
      readonly kind: 'node-chosen';
      readonly node: string;
      readonly layout: LayoutName;
      readonly why: string;
    }
  /** The cluster-wide proxy without its credentials. */
  | { readonly kind: 'cluster-proxy'; readonly words: string }
  | { readonly kind: 'reaching-node' }
  /** How the node is reached, in words. */
  | { readonly kind: 'node-reached'; readonly way: string }
  /** All is done there, and what was made for it is being removed. */
  | { readonly kind: 'leaving-node' }
  | { readonly kind: 'executable-sent'; readonly bytes: number }
  | { readonly kind: 'fetching'; readonly bytes: number; readonly totalBytes: number }
  /** It is made anew, and gone on with where it was. */
  | { readonly kind: 'connection-lost'; readonly why: string }
  | { readonly kind: 'verifying'; readonly bytes: number; readonly totalBytes: number };

export type RemoteReport = (event: RemoteEvent) => void;
