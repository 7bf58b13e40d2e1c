// The etcd versions that the tests know: the last release of each minor that control planes run today.

/** Newest last. 3.4 is the release that Debian 12 packages; any other 3.4.x does as well. */
export const ETCD_VERSIONS = ['3.4.23', '3.5.35', '3.6.16', '3.7.3'] as const;

export type EtcdVersion = (typeof ETCD_VERSIONS)[number];

/** The programs of one etcd release, and where they were got from. */
export interface EtcdBinaries {
  /** What `etcd --version` says, which may be another 3.4.x than the one in the list. */
  readonly version: string;
  readonly etcd: string;
  readonly etcdctl: string;
  /** Absent in 3.4, where etcdctl does the offline work as well. */
  readonly etcdutl: string | undefined;
  /** As in "from the cache", "from the PATH". */
  readonly source: string;
}

/** Whether a release of this version serves where the tests ask for `wanted`. */
export function serves(version: string, wanted: EtcdVersion): boolean {
  return version === wanted || (wanted.startsWith('3.4.') && version.startsWith('3.4.'));
}

/** Orders versions from old to new. */
export function byVersion(left: string, right: string): number {
  return left.localeCompare(right, 'en', { numeric: true });
}
