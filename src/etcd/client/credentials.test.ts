import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CertificateAuthority } from '../../../test/servers/pki.ts';
import { readCredentials } from './credentials.ts';

const NOT_BEFORE = new Date('2023-11-21T00:00:00Z');
const NOT_AFTER = new Date('2026-11-20T04:12:00Z');
const NOW = new Date('2026-01-01T00:00:00Z');

const DAY_MS = 86_400_000;

interface Pair {
  readonly cert: string;
  readonly key: string;
}

let one: Pair;
let other: Pair;
beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'etcdkeep-test-'));
  const authority = await CertificateAuthority.create(directory);
  const makePair = async (name: string): Promise<Pair> => {
    const validity = { notBefore: NOT_BEFORE, notAfter: NOT_AFTER };
    const { cert, key } = await authority.issue(name, { commonName: name, ...validity });
    return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
  };
  [one, other] = [await makePair('one'), await makePair('other')];
  await rm(directory, { recursive: true });
});

/** Writes files of these contents, and names them. */
async function files<Names extends string>(
  contents: Record<Names, string>,
): Promise<Record<Names, string>> {
  const directory = await mkdtemp(join(tmpdir(), 'etcdkeep-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const paths = Object.entries<string>(contents).map(async ([name, text]) => {
    await writeFile(join(directory, name), text);
    return [name, join(directory, name)] as const;
  });
  return Object.fromEntries(await Promise.all(paths)) as Record<Names, string>;
}

const ENCRYPTED_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
  cipher: 'aes-256-cbc',
  passphrase: 'secret',
}) as string;

describe('readCredentials', () => {
  it('a bundle and a pair, as a TLS client takes them', async () => {
    const named = await files({ cacert: `${one.cert}\n${other.cert}`, ...one });
    const credentials = await readCredentials(named, NOW);
    expect(Object.keys(credentials)).toEqual(['ca', 'cert', 'key']);
    createSecureContext(credentials);
  });

  it('only what is named is read', async () => {
    expect(await readCredentials({}, NOW)).toEqual({});
    const { cacert } = await files({ cacert: one.cert });
    expect(Object.keys(await readCredentials({ cacert }, NOW))).toEqual(['ca']);
  });

  it('a certificate with its chain, and words between the blocks', async () => {
    const named = await files({ cert: `leaf\n${one.cert}\nchain\n${other.cert}`, key: one.key });
    expect(Object.keys(await readCredentials(named, NOW))).toEqual(['cert', 'key']);
  });

  it.each([
    ['cert', 'certificate', 'key'],
    ['key', 'key', 'certificate'],
  ] as const)('a %s alone', async (name, named, missing) => {
    const path = (await files(one))[name];
    await expect(readCredentials({ [name]: path }, NOW)).rejects.toMatchObject({
      code: 'certificate-missing',
      message: `a client ${named} was named without its ${missing}`,
      position: { path },
    });
  });

  it.each([
    ['cacert', 'the CA bundle'],
    ['cert', 'the client certificate'],
    ['key', 'the client key'],
  ] as const)('%s is not there', async (name, what) => {
    const named = await files({ cacert: one.cert, ...one });
    await rm(named[name]);
    await expect(readCredentials(named, NOW)).rejects.toMatchObject({
      code: 'certificate-missing',
      message: `${what} is not there`,
      position: { path: named[name] },
    });
  });

  it('a directory in its place is another error', async () => {
    const named = await files(one);
    await rm(named.key);
    await mkdir(named.key);
    await expect(readCredentials(named, NOW)).rejects.toMatchObject({
      code: 'file-failed',
      message: 'cannot read the client key: it is not a file',
    });
  });

  it.each<[situation: string, contents: () => Record<string, string>, message: string]>([
    [
      'a bundle without a certificate',
      () => ({ cacert: one.key }),
      'the CA bundle holds no certificate',
    ],
    [
      'a bundle whose second certificate is damaged',
      () => ({ cacert: `${one.cert}\n${other.cert.replace('MII', 'AAA')}` }),
      'cannot parse certificate 2 of the CA bundle: it is not PEM that OpenSSL understands',
    ],
    [
      'a certificate that is none',
      () => ({ ...one, cert: 'x' }),
      'cannot parse the client certificate: it is not PEM that OpenSSL understands',
    ],
    [
      'a key that is none',
      () => ({ ...one, key: one.cert }),
      'cannot parse the client key: it is not PEM that OpenSSL understands',
    ],
    [
      'a key with a passphrase',
      () => ({ ...one, key: ENCRYPTED_KEY }),
      'cannot parse the client key: it is protected by a passphrase',
    ],
    [
      'the key of another certificate',
      () => ({ ...one, key: other.key }),
      'the client key is not that of its certificate',
    ],
  ])('%s', async (_situation, contents, message) => {
    const reading = readCredentials(await files(contents()), NOW);
    await expect(reading).rejects.toMatchObject({ code: 'certificate-invalid', message });
  });

  it('no error shows any of a key', async () => {
    // The first bytes of the body say that it is a key; what follows them is the key.
    const key = one.key.replace(/\n..../, '\nAAAA');
    const error: unknown = await readCredentials(await files({ ...one, key }), NOW).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'certificate-invalid' });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(key.slice(60, 80));
  });

  it.each([
    ['its first second', NOT_BEFORE],
    ['its last second', NOT_AFTER],
  ])('valid in %s', async (_situation, now) => {
    expect(Object.keys(await readCredentials(await files(one), now))).toEqual(['cert', 'key']);
  });

  it('expired: since when, what it was valid for, and what to do', async () => {
    const named = await files(one);
    const now = new Date(NOT_AFTER.getTime() + 3 * DAY_MS);
    const words = { whose: "this host's", expiredAdvice: 'wait' };
    await expect(readCredentials(named, now, words)).rejects.toMatchObject({
      code: 'certificate-expired',
      exitCode: 3,
      message: "this host's etcd client certificate expired 3 days ago",
      facts: [['valid', '2023-11-21 to 2026-11-20 04:12 UTC']],
      advice: 'wait',
      position: { path: named.cert },
    });
  });

  it('expired, without words: the advice is that of the code', async () => {
    const now = new Date(NOT_AFTER.getTime() + 1000);
    await expect(readCredentials(await files(one), now)).rejects.toMatchObject({
      message: 'the etcd client certificate expired 1 second ago',
      advice: 'name another pair with --cert and --key',
    });
  });

  it('not valid yet', async () => {
    const now = new Date(NOT_BEFORE.getTime() - DAY_MS);
    await expect(readCredentials(await files(one), now)).rejects.toMatchObject({
      code: 'certificate-expired',
      message: 'the etcd client certificate is not valid yet: it starts in 1 day',
      advice: "check this machine's clock",
    });
  });

  it('an authority that has expired is left to the TLS library', async () => {
    const { cacert } = await files({ cacert: one.cert });
    const now = new Date(NOT_AFTER.getTime() + DAY_MS);
    expect(Object.keys(await readCredentials({ cacert }, now))).toEqual(['ca']);
  });
});
