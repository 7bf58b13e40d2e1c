// What an inspection of an archive finds: data, in the order in which it is met, each under the stable name of a rule.

/**
 * The rules, and how bad it is to break one. An error: the archive is damaged, cannot be put back by `tar -xzf`, or
 * would not make the control plane that it was taken from. A warning: it can and would.
 */
export const ARCHIVE_RULES = {
  /** gzip that ends early or fails its CRC; tar that fails a checksum, ends early or cannot be understood. */
  'archive-damaged': 'error',
  /** Something follows gzip: tar(1) extracts what there is and then fails. */
  'trailing-garbage': 'error',
  /** Something follows the end of the tar archive inside gzip: tar(1) does not read it. */
  'data-after-end': 'warning',
  /** More members, bytes or names than any control plane has: what follows was not read. */
  'too-large': 'error',
  /** An absolute path, `..`, or a path through a symbolic link: extracted, it may land anywhere. */
  'path-escapes': 'error',
  /** A path that tar(1) understands and that is not how it is written: `./x`, `x//y`, or not UTF-8. */
  'path-odd': 'warning',
  /** A symbolic link that points out of what is archived. */
  'link-escapes': 'warning',
  /** A second name of an earlier member. */
  'hard-link': 'warning',
  /** A hard link to no earlier member. */
  'hard-link-broken': 'error',
  /** A device, a pipe, a sparse file, or what no rule of tar knows. */
  'special-file': 'error',
  /** Two members of one path: the last one wins. */
  'duplicate-member': 'error',
  /** Neither OpenShift's static pods nor kubeadm's. */
  'layout-unknown': 'error',
  /** One of the four static pods is not there. */
  'pod-missing': 'error',
  /** A manifest that cannot be understood. */
  'manifest-unreadable': 'error',
  /** A file that a manifest names. */
  'member-missing': 'error',
  'certificate-unreadable': 'error',
  'certificate-expired': 'warning',
  'certificate-not-yet-valid': 'warning',
  /** The private key beside a certificate. */
  'key-unreadable': 'error',
  /** It is another certificate's. */
  'key-mismatch': 'error',
  'encryption-config-unreadable': 'error',
} as const satisfies Record<string, 'error' | 'warning'>;

export type ArchiveRule = keyof typeof ARCHIVE_RULES;

export interface ArchiveFinding {
  readonly rule: ArchiveRule;
  readonly severity: 'error' | 'warning';
  /** A sentence without a full stop. */
  readonly message: string;
  /** Path of the member, as stored; undefined for what is said of the archive. */
  readonly member: string | undefined;
}

/** Findings that are kept; all are counted. */
const KEPT_MAX = 10_000;

export class ArchiveFindings {
  readonly kept: ArchiveFinding[] = [];
  readonly count = { error: 0, warning: 0 };

  add(rule: ArchiveRule, message: string, member?: string): void {
    const severity = ARCHIVE_RULES[rule];
    this.count[severity] += 1;
    if (this.kept.length < KEPT_MAX) this.kept.push({ rule, severity, message, member });
  }
}
