// Certificates as files: read and judged before anything is dialled, because a TLS library says
// of all that can be wrong with them only that a handshake failed.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readSmallFile } from '../../base/durable-files.ts';
import { EtcdkeepError, messageOf, systemCodeOf } from '../../base/errors.ts';
import { formatMoment, formatSpan } from '../../base/units.ts';

/** PEM files that a TLS client uses: the names of etcdctl's flags. */
export interface CredentialFiles {
  /** Bundle of the authorities that the member's certificate may come from. */
  readonly cacert?: string | undefined;
  /** Client certificate, followed by its chain if it has one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** The same as PEM, as node:tls takes them. */
export interface Credentials {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** How errors speak of the files. */
export interface CredentialWords {
  /** As in "<whose> etcd client certificate expired 3 days ago". */
  readonly whose?: string;
  /** What to do about an expired one. */
  readonly expiredAdvice?: string;
}

/** A bundle holds a few kB for each authority. */
const MAX_PEM_BYTES = 4 << 20;

/** Each certificate of a PEM file, with its armour (RFC 7468). */
export const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** What Node says, and what OpenSSL says when it asked for a passphrase and was given none. */
const PASSPHRASE_WANTED = ['ERR_MISSING_PASSPHRASE', 'ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED'];

/**
 * Reads and checks the files that are named: each parses, the key is the certificate's own, and
 * the certificate is valid now. Authorities are not held against the clock: a bundle keeps old ones.
 * @throws EtcdkeepError `certificate-missing`, `certificate-invalid`, `certificate-expired`,
 * `file-failed`
 */
export async function readCredentials(
  files: CredentialFiles,
  now: Date,
  words: CredentialWords = {},
): Promise<Credentials> {
  const { cacert, cert, key } = files;
  if ((cert === undefined) !== (key === undefined)) {
    const [named, other] = cert === undefined ? ['key', 'certificate'] : ['certificate', 'key'];
    throw new EtcdkeepError(
      'certificate-missing',
      `a client ${named} was named without its ${other}`,
      { path: (cert ?? key)!, advice: 'name both, with --cert and --key' },
    );
  }
  return {
    ...(cacert === undefined ? {} : { ca: await readAuthorities(cacert) }),
    ...(cert === undefined ? {} : await readPair(cert, key!, now, words)),
  };
}

async function readAuthorities(path: string): Promise<Buffer> {
  const pem = await readPem(path, 'the CA bundle');
  const blocks = pem.toString('latin1').match(PEM_CERTIFICATE) ?? [];
  if (blocks.length === 0) {
    throw new EtcdkeepError('certificate-invalid', 'the CA bundle holds no certificate', { path });
  }
  for (const [index, block] of blocks.entries()) {
    parse(path, `certificate ${index + 1} of the CA bundle`, () => new X509Certificate(block));
  }
  return pem;
}

async function readPair(
  certPath: string,
  keyPath: string,
  now: Date,
  words: CredentialWords,
): Promise<{ cert: Buffer; key: Buffer }> {
  const cert = await readPem(certPath, 'the client certificate');
  const key = await readPem(keyPath, 'the client key');
  const certificate = parse(
    certPath,
    'the client certificate',
    (): X509Certificate => new X509Certificate(cert),
  );
  const privateKey = parse(keyPath, 'the client key', (): KeyObject => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new EtcdkeepError(
      'certificate-invalid',
      'the client key is not that of its certificate',
      {
        path: keyPath,
        facts: [['certificate', certPath]],
      },
    );
  }
  checkValidity(certificate, certPath, now, words);
  return { cert, key };
}

async function readPem(path: string, what: string): Promise<Buffer> {
  try {
    return await readSmallFile(path, `read ${what}`, MAX_PEM_BYTES);
  } catch (reason) {
    const cause = reason instanceof EtcdkeepError ? reason.cause : reason;
    if (!['ENOENT', 'ENOTDIR'].includes(systemCodeOf(cause) ?? '')) throw reason;
    throw new EtcdkeepError('certificate-missing', `${what} is not there`, { path, cause });
  }
}

function parse<Parsed>(path: string, what: string, parser: () => Parsed): Parsed {
  try {
    return parser();
  } catch (reason) {
    const why = PASSPHRASE_WANTED.includes(systemCodeOf(reason) ?? '')
      ? 'it is protected by a passphrase'
      : 'it is not PEM that OpenSSL understands';
    throw new EtcdkeepError('certificate-invalid', `cannot parse ${what}: ${why}`, {
      path,
      facts: [['OpenSSL', messageOf(reason)]],
      cause: reason,
    });
  }
}

function checkValidity(
  certificate: X509Certificate,
  path: string,
  now: Date,
  words: CredentialWords,
): void {
  const { validFromDate: from, validToDate: to } = certificate;
  const early = from.getTime() - now.getTime();
  const late = now.getTime() - to.getTime();
  if (early <= 0 && late <= 0) return;
  const what = `${words.whose ?? 'the'} etcd client certificate`;
  const message =
    late > 0
      ? `${what} expired ${formatSpan(late)} ago`
      : `${what} is not valid yet: it starts in ${formatSpan(early)}`;
  const advice = late > 0 ? words.expiredAdvice : "check this machine's clock";
  throw new EtcdkeepError('certificate-expired', message, {
    path,
    facts: [['valid', `${from.toISOString().slice(0, 10)} to ${formatMoment(to)}`]],
    ...(advice === undefined ? {} : { advice }),
  });
}
