import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EtcdkeepError } from '../base/errors.ts';
import { parseEncryptionConfig, summarizeEncryption } from './encryption-config.ts';

const SECRET = Buffer.from('0123456789abcdef0123456789abcdef').toString('base64');
const ZERO = Buffer.alloc(16).toString('base64');

const key = (name: string, secret = SECRET) => ({ keys: [{ name, secret }] });

const config = (...resources: readonly unknown[]): string =>
  JSON.stringify({
    kind: 'EncryptionConfiguration',
    apiVersion: 'apiserver.config.k8s.io/v1',
    resources,
  });

const entry = (providers: readonly unknown[], resources: readonly unknown[] = ['secrets']) => ({
  resources,
  providers,
});

const parse = (text: string) => parseEncryptionConfig(text, '/encryption-config');

describe('parseEncryptionConfig', () => {
  it('a key that writes, one that still reads, and identity as OpenShift carries it', () => {
    const providers = [
      { aescbc: key('3') },
      { aescbc: key('2') },
      { identity: {} },
      { aesgcm: key('1', ZERO) },
    ];
    const keys = [
      { provider: 'aescbc', name: '3' },
      { provider: 'aescbc', name: '2' },
    ];
    expect(parse(config(entry(providers, ['configmaps']), entry(providers)))).toEqual({
      on: true,
      resources: [
        { resource: 'configmaps', writeKey: keys[0], keys },
        { resource: 'secrets', writeKey: keys[0], keys },
      ],
    });
  });

  it('switched off: keys read, none writes', () => {
    const text = config(entry([{ identity: {} }, { aesgcm: key('4') }, { aescbc: key('3') }]));
    expect(parse(text)).toEqual({
      on: false,
      resources: [
        {
          resource: 'secrets',
          writeKey: undefined,
          keys: [
            { provider: 'aesgcm', name: '4' },
            { provider: 'aescbc', name: '3' },
          ],
        },
      ],
    });
  });

  it('the key of zeros is no key, even where it stands first', () => {
    const { on, resources } = parse(config(entry([{ aesgcm: key('1', ZERO) }])));
    expect({ on, keys: resources[0]!.keys }).toEqual({ on: false, keys: [] });
  });

  it('zeros of another length, or of another provider, are a key', () => {
    const zero32 = Buffer.alloc(32).toString('base64');
    const text = config(entry([{ aesgcm: key('1', zero32) }, { aescbc: key('2', ZERO) }]));
    expect(parse(text).resources[0]!.keys.map(({ name }) => name)).toEqual(['1', '2']);
  });

  it('several keys in a provider, several resources in an entry: the first key writes', () => {
    const keys = [...key('b').keys, ...key('a').keys];
    const { resources } = parse(config(entry([{ secretbox: { keys } }], ['secrets', '*.apps'])));
    expect(resources.map(({ resource, writeKey }) => [resource, writeKey?.name])).toEqual([
      ['secrets', 'b'],
      ['*.apps', 'b'],
    ]);
  });

  it('a KMS plugin is known by its name', () => {
    const kms = { apiVersion: 'v2', name: 'vault', endpoint: 'unix:///kms.sock', timeout: '3s' };
    const parsed = parse(config(entry([{ kms }, { identity: {} }])));
    expect(parsed.resources[0]!.writeKey).toEqual({ provider: 'kms', name: 'vault' });
    expect(JSON.stringify(parsed)).not.toContain('kms.sock');
  });

  it('one resource encrypted and another not: on', () => {
    const text = config(entry([{ identity: {} }]), entry([{ aescbc: key('1') }], ['configmaps']));
    expect(parse(text).on).toBe(true);
  });

  it('YAML, as the documentation of Kubernetes has it', () => {
    const text = `# Ours.
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets]
    providers:
      - secretbox:
          keys:
            - name: key1
              secret: ${SECRET}
      - identity: {}
`;
    const key1 = { provider: 'secretbox', name: 'key1' };
    expect(parseEncryptionConfig(text, 'enc.yaml')).toEqual({
      on: true,
      resources: [{ resource: 'secrets', writeKey: key1, keys: [key1] }],
    });
  });

  it.each<[situation: string, text: string, why: string]>([
    ['not YAML', `secret: ${SECRET}\n\tname: 1\n`, 'it is not YAML, in line 2'],
    ['cut off', config(entry([{ aescbc: key('1') }])).slice(0, -9), 'it is not YAML'],
    ['a text', SECRET, 'at its top: '],
    ['another kind', config().replace('Encryption', 'Admission'), 'at kind: '],
    ['another API', config().replace('apiserver.', 'x.'), 'at apiVersion: '],
    ['no providers', config(entry([])), 'at resources.0.providers: '],
    [
      'a provider that is not known',
      config(entry([{ rot13: key('1') }])),
      'a provider is none that is known, or more than one',
    ],
    [
      'two providers in one',
      config(entry([{ aescbc: key('1'), secretbox: key('2') }])),
      'a provider is none that is known, or more than one',
    ],
    [
      'a key without a name',
      config(entry([{ aescbc: key('') }])),
      'at resources.0.providers.0.aescbc.keys.0.name: ',
    ],
    [
      'the secret stands where the name should',
      config(entry([{ aescbc: { keys: [{ name: { x: SECRET }, secret: 1 }] } }])),
      'at resources.0.providers.0.aescbc.keys.0.name: ',
    ],
    ['a text', '"x"', 'at its top: '],
  ])('%s: refused, and nothing of it is shown', (_situation, text, why) => {
    const error = caught(() => parse(text));
    expect(error).toMatchObject({
      code: 'encryption-config-invalid',
      message: expect.stringContaining(`cannot use the encryption-config: ${why}`) as string,
      position: { path: '/encryption-config' },
    });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET.slice(0, 5));
  });

  it('no secret leaves it, whatever is wrong with the text', () => {
    const whole = config(entry([{ aescbc: key('1') }, { identity: {} }, { secretbox: key('2') }]));
    // Changes that never cut or alter the secret itself, so that it can be looked for.
    const place = fc.nat({ max: whole.length }).filter((offset) => {
      const near = whole.slice(Math.max(0, offset - SECRET.length), offset + SECRET.length);
      return !near.includes(SECRET);
    });
    fc.assert(
      fc.property(place, fc.string({ maxLength: 3 }), fc.nat({ max: 3 }), (at, put, take) => {
        let shown: string;
        try {
          shown = inspect(parse(whole.slice(0, at) + put + whole.slice(at + take)), { depth: 9 });
        } catch (reason) {
          expect((reason as EtcdkeepError).code).toBe('encryption-config-invalid');
          shown = inspect(reason, { depth: 9, showHidden: true });
        }
        expect(shown).not.toContain(SECRET.slice(0, 12));
      }),
      { numRuns: 500 },
    );
  });
});

describe('summarizeEncryption', () => {
  it('names each provider and key once', () => {
    const providers = [{ aescbc: key('3') }, { aesgcm: key('2') }, { aescbc: key('10') }];
    const parsed = parse(config(entry(providers), entry(providers, ['configmaps'])));
    expect(summarizeEncryption(parsed)).toEqual({
      on: true,
      providers: ['aescbc', 'aesgcm'],
      keyNames: ['10', '2', '3'],
    });
  });
});

function caught(call: () => unknown): unknown {
  try {
    return call();
  } catch (reason) {
    return reason;
  }
}
