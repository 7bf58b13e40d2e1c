import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeEachVersion, etcdForSuite } from '../servers/for-vitest.ts';
import { CertificateAuthority, EXPIRED, type KeyPairFiles, NOT_YET_VALID } from '../servers/pki.ts';
import { clientOptions, connect, errorOf, type TlsFiles } from './connect.ts';

/** Alerts and resets race each other; each refusal is asked for more than once. */
const ATTEMPTS = 10;

const anotherAuthority = (authority: CertificateAuthority): Promise<CertificateAuthority> =>
  CertificateAuthority.create(join(authority.directory, 'another'));

describeEachVersion('a member with mutual TLS', (version) => {
  const etcd = etcdForSuite({ version, tls: 'mutual' });

  /** The code of an attempt to connect with these files in place of the right ones. */
  const codeWith = async (files: TlsFiles): Promise<string> => {
    const { ca, client } = etcd().member.tls!;
    const options = clientOptions(etcd().endpoint, { ca, ...client, ...files });
    return (await errorOf(connect(options))).code;
  };

  /** The files of a client that has none, or whose pair is this one. */
  const asClient = (pair: KeyPairFiles | undefined) => async (): Promise<string> => {
    const { ca } = etcd().member.tls!;
    return (await errorOf(connect(clientOptions(etcd().endpoint, { ca, ...pair })))).code;
  };

  const always = async (code: string, attempt: () => Promise<string>): Promise<void> => {
    for (let count = 0; count < ATTEMPTS; count += 1) expect(await attempt()).toBe(code);
  };

  describe('the client certificate', () => {
    it('is missing', () => always('tls-client-certificate-refused', asClient(undefined)));

    it('is from another authority', async () => {
      const other = await anotherAuthority(etcd().authority!);
      const pair = await other.issue('client', { commonName: 'client', usages: ['client'] });
      await always('tls-client-certificate-refused', asClient(pair));
    });

    it.each([
      ['has expired', EXPIRED],
      ['is not valid yet', NOT_YET_VALID],
    ])('%s', async (name, validity) => {
      const options = { commonName: 'client', usages: ['client'] as const, ...validity };
      const pair = await etcd().authority!.issue(name.replaceAll(' ', '-'), options);
      await always('tls-client-certificate-refused', asClient(pair));
    });

    it('is for servers alone', async () => {
      const options = { commonName: 'client', usages: ['server'] as const };
      const pair = await etcd().authority!.issue('server-alone', options);
      await always('tls-client-certificate-refused', asClient(pair));
    });
  });

  it('the authority is another one', async () => {
    const { cert } = await anotherAuthority(etcd().authority!);
    await always('tls-authority-unknown', () => codeWith({ ca: cert }));
  });

  it('plain text is spoken to the TLS port', async () => {
    const options = clientOptions(etcd().endpoint.replace('https', 'http'));
    await always('plain-on-tls-port', async () => (await errorOf(connect(options))).code);
  });

  // Last, because the member is left with another certificate: etcd reads it anew for each connection.
  describe("the member's certificate", () => {
    it.each([
      ['has expired', EXPIRED, 'tls-server-certificate-expired'],
      ['is not valid yet', NOT_YET_VALID, 'tls-server-certificate-expired'],
      ['is for another address', { names: ['10.0.1.2'] }, 'tls-name-mismatch'],
    ])('%s', async (_, options, code) => {
      const { name, address } = etcd().member;
      await etcd().authority!.issue(`etcd-server-${name}`, {
        commonName: name,
        names: [address],
        ...options,
      });
      expect(await codeWith({})).toBe(code);
    });
  });
});

describeEachVersion('a member without TLS', (version) => {
  const etcd = etcdForSuite({ version });

  it('TLS is spoken to the plain port', async () => {
    const options = clientOptions(etcd().endpoint.replace('http', 'https'));
    for (let count = 0; count < ATTEMPTS; count += 1) {
      expect((await errorOf(connect(options))).code).toBe('tls-on-plain-port');
    }
  });
});
