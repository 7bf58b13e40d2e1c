// Certificate authorities and certificates for test servers and clients: EC P-256, in PEM files.
import './reflect.ts';
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A certificate and its key as files. */
export interface KeyPairFiles {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  readonly commonName: string;
  readonly organization?: string;
  /** IP addresses and DNS names that the certificate is for. */
  readonly names?: readonly string[];
  /** Defaults to both, as OpenShift's serving and peer certificates of etcd have it. */
  readonly usages?: readonly ('server' | 'client')[];
  /** Defaults to an hour ago, so that it is valid at once on a clock that is a little late. */
  readonly notBefore?: Date;
  /** Defaults to in ten days. */
  readonly notAfter?: Date;
}

/** When a certificate is valid, for the two kinds of invalid ones. */
export const EXPIRED = {
  notBefore: new Date(Date.now() - 10 * DAY_MS),
  notAfter: new Date(Date.now() - DAY_MS),
};
export const NOT_YET_VALID = {
  notBefore: new Date(Date.now() + DAY_MS),
  notAfter: new Date(Date.now() + 10 * DAY_MS),
};

/** A certificate authority that keeps what it issues in one directory. */
export class CertificateAuthority {
  readonly directory: string;
  /** The authority's own certificate, a PEM file. */
  readonly cert: string;
  readonly #certificate: X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(
    directory: string,
    name: string,
    certificate: X509Certificate,
    keys: webcrypto.CryptoKeyPair,
  ) {
    this.directory = directory;
    this.cert = join(directory, `${name}.crt`);
    this.#certificate = certificate;
    this.#keys = keys;
  }

  /**
   * Makes an authority.
   * @param directory is created if it does not exist
   * @param name of its certificate file, and in its subject
   * @param valid when it is; as its certificates are by default
   */
  static async create(
    directory: string,
    name = 'etcd-signer',
    valid: Pick<CertificateOptions, 'notBefore' | 'notAfter'> = {},
  ): Promise<CertificateAuthority> {
    await mkdir(directory, { recursive: true });
    const keys = await generateKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: `CN=${name}, OU=openshift`,
      ...validity(valid),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(
          KeyUsageFlags.digitalSignature |
            KeyUsageFlags.keyCertSign |
            KeyUsageFlags.keyEncipherment,
          true,
        ),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const authority = new CertificateAuthority(directory, name, certificate, keys);
    await writeFile(authority.cert, `${certificate.toString('pem')}\n`, { mode: 0o644 });
    return authority;
  }

  /** Issues a certificate and writes `<fileName>.crt` and `<fileName>.key`, the key with mode 0600. */
  async issue(fileName: string, options: CertificateOptions): Promise<KeyPairFiles> {
    const keys = await generateKeys();
    const organization = options.organization === undefined ? '' : `, O=${options.organization}`;
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: `CN=${options.commonName}${organization}`,
      issuer: this.#certificate.subject,
      ...validity(options),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: await this.#extensions(keys.publicKey, options),
    });
    const files = {
      cert: join(this.directory, `${fileName}.crt`),
      key: join(this.directory, `${fileName}.key`),
    };
    await writeFile(files.cert, `${certificate.toString('pem')}\n`, { mode: 0o644 });
    await writeFile(files.key, await privateKeyPem(keys.privateKey), { mode: 0o600 });
    return files;
  }

  /** Writes the authority's own key beside its certificate, with mode 0600, for who has to sign with it. @returns its path */
  async writeKey(): Promise<string> {
    const path = this.cert.replace(/\.crt$/, '.key');
    await writeFile(path, await privateKeyPem(this.#keys.privateKey), { mode: 0o600 });
    return path;
  }

  async #extensions(publicKey: webcrypto.CryptoKey, options: CertificateOptions) {
    const names = options.names ?? [];
    const usages = options.usages ?? ['server', 'client'];
    const alternatives = names.map((value) => ({
      type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
      value,
    }));
    return [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
      new ExtendedKeyUsageExtension(
        usages.map((usage) => ExtendedKeyUsage[usage === 'server' ? 'serverAuth' : 'clientAuth']),
      ),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(this.#keys.publicKey),
      ...(alternatives.length === 0 ? [] : [new SubjectAlternativeNameExtension(alternatives)]),
    ];
  }
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

/** `EC PRIVATE KEY`, the form in which OpenShift's operators write EC keys. */
async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'sec1' })
    .toString();
}

function validity(options: Pick<CertificateOptions, 'notBefore' | 'notAfter'>) {
  return {
    notBefore: options.notBefore ?? new Date(Date.now() - HOUR_MS),
    notAfter: options.notAfter ?? new Date(Date.now() + 10 * DAY_MS),
  };
}

/** A positive number of 15 bytes, as hex. */
function serialNumber(): string {
  const bytes = randomBytes(15);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}
