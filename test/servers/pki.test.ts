import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeTemporaryDirectory, temporaryDirectory } from './directories.ts';
import { describeEachVersion, etcdForSuite } from './for-vitest.ts';
import { Gateway } from './gateway.ts';
import { CertificateAuthority, EXPIRED, type KeyPairFiles, NOT_YET_VALID } from './pki.ts';

describe('an issued certificate', () => {
  const directory = temporaryDirectory();
  let authority: CertificateAuthority;
  let pair: KeyPairFiles;
  beforeAll(async () => {
    authority = await CertificateAuthority.create(directory);
    pair = await authority.issue('peer', { commonName: 'peer', names: ['127.1.2.3', 'etcd.test'] });
  });
  afterAll(() => removeTemporaryDirectory(directory));

  it('verifies against its authority and is for the names asked for', async () => {
    const certificate = new X509Certificate(await readFile(pair.cert));
    const issuer = new X509Certificate(await readFile(authority.cert));
    expect(certificate.checkIssued(issuer)).toBe(true);
    expect(certificate.verify(issuer.publicKey)).toBe(true);
    expect(certificate.checkIP('127.1.2.3')).toBe('127.1.2.3');
    expect(certificate.checkHost('etcd.test')).toBe('etcd.test');
  });

  it('has a key that only its owner reads', async () => {
    expect((await stat(pair.key)).mode & 0o777).toBe(0o600);
    expect(await readFile(pair.key, 'utf8')).toMatch(/^-----BEGIN EC PRIVATE KEY-----\n/);
  });
});

describeEachVersion('a member that demands client certificates', (version) => {
  const etcd = etcdForSuite({ version, tls: 'mutual' });
  const revisionAs = async (pair: KeyPairFiles): Promise<bigint> => {
    const gateway = new Gateway(etcd().endpoint, { tls: { ca: etcd().authority!.cert, ...pair } });
    try {
      return await gateway.revision();
    } finally {
      gateway.close();
    }
  };

  it('refuses one that has expired', async () => {
    const expired = await etcd().authority!.issue('old', { commonName: 'old', ...EXPIRED });
    await expect(revisionAs(expired)).rejects.toThrow();
  });

  it('refuses one that is not valid yet', async () => {
    const early = await etcd().authority!.issue('early', { commonName: 'early', ...NOT_YET_VALID });
    await expect(revisionAs(early)).rejects.toThrow();
  });

  it('refuses one of a foreign authority of the same name', async () => {
    const directory = join(etcd().authority!.directory, 'foreign');
    const foreign = await CertificateAuthority.create(directory);
    await expect(revisionAs(await foreign.issue('x', { commonName: 'x' }))).rejects.toThrow();
  });

  it('accepts one that is valid', async () => {
    const valid = await etcd().authority!.issue('new', { commonName: 'new' });
    expect(await revisionAs(valid)).toBeGreaterThanOrEqual(1n);
  });
});
