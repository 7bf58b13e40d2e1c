import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encryptAescbc, WRITE_KEY } from '../../test/fixtures/encryption.ts';
import { kubernetesObjects } from '../../test/fixtures/kubernetes-catalog.ts';
import { configMap } from '../../test/fixtures/kubernetes-core.ts';
import { envelope, newMetadata } from '../../test/fixtures/kubernetes-metadata.ts';
import { Message } from '../../test/fixtures/protobuf-writer.ts';
import { Random } from '../../test/fixtures/random.ts';
import {
  configMapEntry,
  encryptionPrefix,
  PREFIX_BYTES,
  readStoredObject,
} from './stored-object.ts';

describe('an object', () => {
  it('of every kind that a cluster has says its name, its namespace and its UID', () => {
    let count = 0;
    for (const { key, valueAfter } of kubernetesObjects(400, 5)) {
      const object = readStoredObject(valueAfter(1))!;
      expect(key.endsWith(`/${object.name}`), key).toBe(true);
      if (object.namespace !== '') expect(key).toContain(`/${object.namespace}/`);
      expect(object.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(object.kind).toMatch(/^[A-Z][A-Za-z]+$/);
      expect(object.json === undefined).not.toBe(object.message === undefined);
      count += 1;
    }
    expect(count).toBeGreaterThan(400);
  });

  it.each([
    ['encrypted', encryptAescbc(WRITE_KEY, Buffer.from('k8s\0'), Buffer.alloc(16))],
    ['empty', Buffer.alloc(0)],
    ['text', Buffer.from('nothing')],
    ['JSON that is cut', Buffer.from('{"kind":"Pod","metadata":{"na')],
    ['protobuf that is cut', envelope('v1', 'Pod', new Message().string(1, 'x')).subarray(0, 14)],
    ['an envelope without an object', Buffer.from('k8s\0')],
  ])('that is %s is none', (_, value) => {
    expect(readStoredObject(value)).toBeUndefined();
  });

  it.each([
    [
      { kind: 1, metadata: { name: [], uid: 'u' } },
      { kind: '', name: '', namespace: '', uid: 'u' },
    ],
    [
      { kind: 'K', metadata: 'none' },
      { kind: 'K', name: '', namespace: '', uid: '' },
    ],
    [{ metadata: { name: 'n'.repeat(600) } }, { kind: '', name: '', namespace: '', uid: '' }],
  ])('in JSON with fields of another type leaves them out: %j', (json, identity) => {
    expect(readStoredObject(Buffer.from(JSON.stringify(json)))).toMatchObject(identity);
  });

  it('that is a ConfigMap gives an entry of its data, however it is stored', () => {
    const data = { Other: 'no', ClusterConfiguration: 'kubernetesVersion: v1.36.3\n'.repeat(40) };
    const metadata = newMetadata(new Random(1), 'kubeadm-config', 'kube-system');
    const json = Buffer.from(JSON.stringify({ kind: 'ConfigMap', metadata: {}, data }));
    for (const value of [configMap(metadata, data), json]) {
      const object = readStoredObject(value)!;
      expect(configMapEntry(object, 'ClusterConfiguration')).toBe(data.ClusterConfiguration);
      expect(configMapEntry(object, 'Missing')).toBeUndefined();
    }
  });
});

describe('a prefix', () => {
  it.each([
    ['k8s:enc:aescbc:v1:3:', 'aescbc', '3'],
    ['k8s:enc:aesgcm:v1:key-1:', 'aesgcm', 'key-1'],
    ['k8s:enc:secretbox:v1:a_b:', 'secretbox', 'a_b'],
    ['k8s:enc:kms:v2:1_secrets:', 'kms', '1_secrets'],
    [`k8s:enc:kms:v1:${'n'.repeat(253)}:`, 'kms', 'n'.repeat(253)],
    ['k8s:enc:', 'unknown', ''],
    ['k8s:enc:aescbc:v1:no end', 'unknown', ''],
  ])('%s', (text, provider, keyName) => {
    const front = Buffer.concat([Buffer.from(text), Buffer.alloc(100, 0xfe)]);
    expect(encryptionPrefix(front.subarray(0, PREFIX_BYTES))).toEqual({ provider, keyName });
  });

  it('of what is not encrypted is none', () => {
    for (const text of ['', 'k8s\0', '{', 'k8s:encoded', 'K8S:ENC:aescbc:v1:3:']) {
      expect(encryptionPrefix(Buffer.from(text))).toBeUndefined();
    }
  });

  it('is found with whatever name a key has', () => {
    const name = fc.string({
      minLength: 1,
      maxLength: 40,
      unit: fc.constantFrom('a', 'Z', '0', '9', '-', '_', '.', 'é'),
    });
    fc.assert(
      fc.property(name, fc.uint8Array({ maxLength: 50 }), (key, body) => {
        const value = Buffer.concat([Buffer.from(`k8s:enc:aesgcm:v1:${key}:`), body]);
        expect(encryptionPrefix(value)).toEqual({ provider: 'aesgcm', keyName: key });
        expect(readStoredObject(value)).toBeUndefined();
      }),
    );
  });
});
