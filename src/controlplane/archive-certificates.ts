// The certificates in an archive: each is parsed, and held against the private key that lies beside it. Keys are compared
// and let go; nothing of them gets into a finding.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { formatMoment } from '../base/units.ts';
import type { ArchiveFindings } from './archive-finding.ts';

export interface ArchivedCertificate {
  /** Of the member that it is in. */
  readonly path: string;
  /** `CN=etcd-signer, OU=openshift` */
  readonly subject: string;
  readonly validFrom: Date;
  readonly validTo: Date;
  readonly isAuthority: boolean;
  /** Whether something shows it, or signs with it: it is no authority, or its private key is beside it. */
  readonly isInUse: boolean;
}

/** A bundle of public authorities has 150; a control plane has a few hundred certificates in all. */
const MAX_CERTIFICATES = 20_000;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g;
const BEGIN_CERTIFICATE = /-----BEGIN CERTIFICATE-----/g;
/** With a passphrase it cannot be compared, and no control plane has one. */
const PRIVATE_KEY =
  /-----BEGIN (?:RSA |EC )?PRIVATE KEY-----[^-]*-----END (?:RSA |EC )?PRIVATE KEY-----/;
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|\nProc-Type: 4,ENCRYPTED/;

/** PEM in base64, in a kubeconfig (k8s.io/client-go, tools/clientcmd/api/v1/types.go). */
const EMBEDDED =
  /\b(client-certificate|certificate-authority|client-key)-data"?\s*:\s*"?([A-Za-z0-9+/=]+)/g;

interface Held {
  readonly path: string;
  readonly certificate: X509Certificate;
  /** Both have the same, and share nothing else of their paths. */
  readonly pairName: string;
}

interface HeldKey {
  readonly path: string;
  /** Undefined if it could not be read. */
  readonly key: KeyObject | undefined;
}

export class ArchiveCertificates {
  readonly #findings: ArchiveFindings;
  readonly #certificates: Held[] = [];
  /** By the name of the pair. */
  readonly #leaves = new Map<string, Held>();
  readonly #keys = new Map<string, HeldKey>();
  #isFull = false;

  constructor(findings: ArchiveFindings) {
    this.#findings = findings;
  }

  /** Looks for certificates and a private key in a file's text. */
  see(path: string, text: string): void {
    const pairName = path.replace(/\.(crt|cert|key|pem)$/, '');
    this.#seePem(path, pairName, text);
    const counts = { 'client-certificate': 0, 'certificate-authority': 0, 'client-key': 0 };
    for (const [, what, base64] of text.matchAll(EMBEDDED)) {
      const kind = what as keyof typeof counts;
      counts[kind] += 1;
      const pem = Buffer.from(base64!, 'base64').toString('latin1');
      const whose = kind === 'certificate-authority' ? 'authority' : 'client';
      // The first key is that of the first certificate.
      this.#seePem(path, `${path} ${whose} ${counts[kind]}`, pem);
    }
  }

  /** What there is, once the archive has been read; each in the order of the archive. */
  judge(now: Date): readonly ArchivedCertificate[] {
    for (const [pairName, { path, key }] of this.#keys) this.#comparePair(pairName, path, key);
    const certificates = this.#certificates.map((held) => this.#describe(held));
    for (const certificate of certificates) {
      if (certificate.isInUse) this.#judgeTime(certificate, now);
    }
    return certificates;
  }

  #seePem(path: string, pairName: string, text: string): void {
    const blocks = [...text.matchAll(CERTIFICATE)];
    const begun = text.match(BEGIN_CERTIFICATE)?.length ?? 0;
    const isEmpty = path.endsWith('.crt') && begun === 0 && text.trim() !== '';
    if (isEmpty || begun > blocks.length) {
      const what = isEmpty ? 'it holds no certificate' : 'a certificate has no end';
      this.#findings.add('certificate-unreadable', what, path);
    }
    for (const [index, [, body]] of blocks.entries()) {
      const certificate = parseCertificate(body!);
      if (certificate === undefined) {
        this.#findings.add(
          'certificate-unreadable',
          `certificate ${index + 1} in it does not parse`,
          path,
        );
      } else this.#hold({ path, certificate, pairName });
    }
    this.#seeKey(path, pairName, text);
  }

  #hold(held: Held): void {
    if (this.#certificates.length >= MAX_CERTIFICATES) {
      if (!this.#isFull) {
        this.#findings.add(
          'too-large',
          `there are more than ${MAX_CERTIFICATES} certificates`,
          held.path,
        );
      }
      this.#isFull = true;
      return;
    }
    this.#certificates.push(held);
    // The first of a file is the one that is shown; what follows is its chain.
    if (!this.#leaves.has(held.pairName)) this.#leaves.set(held.pairName, held);
  }

  #seeKey(path: string, pairName: string, text: string): void {
    const [block] = PRIVATE_KEY.exec(text) ?? [];
    if ((block === undefined && !path.endsWith('.key')) || ENCRYPTED.test(text)) return;
    if (this.#keys.size >= MAX_CERTIFICATES) return;
    this.#keys.set(pairName, { path, key: block === undefined ? undefined : parseKey(block) });
  }

  #comparePair(pairName: string, path: string, key: KeyObject | undefined): void {
    const leaf = this.#leaves.get(pairName);
    // A key without a certificate is a service account's.
    if (leaf === undefined) return;
    if (key === undefined) {
      this.#findings.add('key-unreadable', 'the private key does not parse', path);
    } else if (!leaf.certificate.checkPrivateKey(key)) {
      this.#findings.add(
        'key-mismatch',
        `it is not the private key of the certificate in ${leaf.path}`,
        path,
      );
    }
  }

  #describe(held: Held): ArchivedCertificate {
    const { path, certificate, pairName } = held;
    const isShown = this.#leaves.get(pairName) === held && this.#keys.has(pairName);
    return {
      path,
      subject: certificate.subject.split('\n').join(', '),
      validFrom: certificate.validFromDate,
      validTo: certificate.validToDate,
      isAuthority: certificate.ca,
      isInUse: !certificate.ca || isShown,
    };
  }

  #judgeTime({ path, subject, validFrom, validTo }: ArchivedCertificate, now: Date): void {
    if (validTo < now) {
      this.#findings.add(
        'certificate-expired',
        `${subject} was valid until ${formatMoment(validTo)}`,
        path,
      );
    } else if (validFrom > now) {
      const message = `${subject} is valid from ${formatMoment(validFrom)}`;
      this.#findings.add('certificate-not-yet-valid', message, path);
    }
  }
}

/** @param body base64 as it stands, or as it is escaped in JSON */
function parseCertificate(body: string): X509Certificate | undefined {
  const base64 = body.replaceAll('\\n', '').replace(/\s+/g, '');
  // Node's own reader passes over what is not base64, and would find a certificate in damaged text.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) return undefined;
  try {
    const certificate = new X509Certificate(Buffer.from(base64, 'base64'));
    // A time that is none, and a key that OpenSSL does not know, are met here and not before.
    if (Number.isNaN(certificate.validToDate.getTime()) || certificate.publicKey.type !== 'public')
      return undefined;
    return certificate;
  } catch {
    return undefined;
  }
}

function parseKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
