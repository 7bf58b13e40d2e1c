// What a restore on a host will do, settled before anything is changed. All of it is JSON: the journal keeps it,
// so that a run which was killed goes on with what was planned and not with what it would plan by then.

import type { LayoutName } from '../../controlplane/host.ts';

/** Paths are those of the host, seen from its own root, unless it is said otherwise. */
export interface RestorePlan {
  readonly version: 1;
  /** `20261123-170200`, UTC: names the run and all that it sets aside. */
  readonly stamp: string;
  /** `vendor`: the host's own cluster-restore.sh does steps 1 to 5, on a directory with exactly this pair. */
  readonly method: 'direct' | 'vendor';
  readonly host: {
    /** Where the host's root is seen from here. */
    readonly root: string;
    readonly name: string;
    readonly layout: LayoutName;
  };
  readonly backup: {
    readonly stamp: string | undefined;
    /** `data`: what a stopped member or an earlier restore has left; the write-ahead log beside it is not replayed. */
    readonly kind: 'pair' | 'snapshot' | 'data';
    /** As they are seen from here. A plain database, or the data directory of a stopped member, comes without resources. */
    readonly snapshot: string;
    readonly resources: string | undefined;
    readonly snapshotBytes: number;
    /** Newest revision in the snapshot. */
    readonly revision: string;
    /** SHA-256 of the whole snapshot file, hex: it is the same file still when the run goes on. */
    readonly sha256: string;
  };
  readonly member: {
    readonly name: string;
    /** URLs by which its peers reach it; the new cluster has this member alone. */
    readonly peerUrls: readonly string[];
    /** Of the new cluster: its ids are made of it. */
    readonly clusterToken: string;
    readonly endpoint: string;
    readonly cacert: string;
    readonly cert: string;
    readonly key: string;
  };
  readonly data: {
    /** etcd's data directory, `/var/lib/etcd`. */
    readonly directory: string;
    /** Whether it is a mount point: nothing is renamed out of it in any case. */
    readonly isMount: boolean;
    /** Where the new data directory is built; on the file system of `member`. */
    readonly build: string;
    /** Where today's `member` goes; undefined if there is none. */
    readonly kept: string | undefined;
    readonly uid: number;
    readonly gid: number;
    /** Permission bits of `member`, e.g. 0o700. */
    readonly mode: number;
    /** SELinux label of `member`, if the host has any. */
    readonly selinux: string | undefined;
  };
  /** Revisions after the restore begin above `to`, all up to it are compacted. */
  readonly bump: {
    /** What is added to the snapshot's revision. */
    readonly by: string;
    readonly to: string;
    /** Highest revision that anybody can have seen, and of whom: every endpoint that answered, the data that is set aside, ... */
    readonly above: readonly { readonly revision: string; readonly whose: string }[];
  };
  readonly etcd: {
    /** `/etc/kubernetes/manifests/etcd-pod.yaml`. */
    readonly manifest: string;
    /**
     * Where the manifest lies that is put there at the start: the same, where an earlier stop has left it, or in the
     * directory of a revision, where it stays: it is copied. It may come with `resources`, and lie here once they are placed.
     */
    readonly source: string;
    /** Directory into which the manifest is moved to stop etcd. */
    readonly stopped: string;
    /** Ports that nobody may answer on once etcd is stopped. */
    readonly clientPort: number;
    readonly peerPort: number;
    /** Name of the containers, as the CRI knows them. */
    readonly containers: readonly string[];
  };
  /**
   * Static resources that are put back: revision directories of OpenShift; files of kubeadm; and manifests, where one is
   * missing or has to name another revision. Each file appears in one step.
   */
  readonly resources: readonly PlacedResource[];
  /** Names of the encryption keys by which the API server must be able to read; empty if nothing is encrypted. */
  readonly encryptionKeys: readonly string[];
  /** Where what is replaced is kept: the resources of today. */
  readonly keptResources: string;
  /** How long etcd may take until it serves, in milliseconds; it grows with the snapshot. */
  readonly serveTimeoutMs: number;
}

export interface PlacedResource {
  readonly path: string;
  readonly kind: 'directory' | 'file';
  /** Path in the archive. */
  readonly member: string;
  readonly state: 'missing' | 'differs' | 'same';
  /** What is done: one that differs may be left as it is. */
  readonly action: 'place' | 'replace' | 'leave';
}
