// Objects as the API server stores them, and the prefixes of those that it has encrypted.
import {
  configMapEntry,
  encryptionPrefix,
  PREFIX_BYTES,
  readStoredObject,
} from '../../../src/kubernetes/stored-object.ts';
import { encryptAescbc, WRITE_KEY } from '../../fixtures/encryption.ts';
import { configMap, namespace } from '../../fixtures/kubernetes-core.ts';
import { newMetadata } from '../../fixtures/kubernetes-metadata.ts';
import { Random } from '../../fixtures/random.ts';
import { mutateText } from '../mutate-text.ts';
import { demand, type Target } from '../target.ts';

const metadata = newMetadata(new Random(3), 'kubeadm-config', 'kube-system');
const CONFIG = configMap(metadata, { ClusterConfiguration: 'kubernetesVersion: v1.36.3\n' });
const OBJECTS = [
  CONFIG,
  namespace(metadata),
  Buffer.from(
    '{"kind":"ClusterVersion","metadata":{"name":"version","uid":"u"},"data":{"ClusterConfiguration":"x"},"status":{}}',
  ),
  encryptAescbc(WRITE_KEY, CONFIG, Buffer.alloc(16, 1)),
];

export const storedObjects: Target = {
  name: 'stored-object',
  weight: 4,
  make: (random) => mutateText(random.pick(OBJECTS), random),
  run(input) {
    // It lies in the middle of others.
    const around = Buffer.concat([Buffer.alloc(5, 0x0a), input, Buffer.alloc(9, 0x0a)]);
    const value = around.subarray(5, 5 + input.length);
    const prefix = encryptionPrefix(value);
    const object = readStoredObject(value);
    demand(prefix === undefined || object === undefined, 'encrypted, and read all the same');
    if (prefix !== undefined) {
      demand(prefix.keyName.length <= PREFIX_BYTES, `a key has a name of ${prefix.keyName.length}`);
      return prefix.provider === 'unknown' ? 'unknown' : 'encrypted';
    }
    if (object === undefined) return 'refused';
    const { kind, name, namespace: place, uid } = object;
    for (const text of [kind, name, place, uid]) demand(text.length <= 512, 'a long text');
    const entry = configMapEntry(object, 'ClusterConfiguration') ?? '';
    demand(entry.length <= input.length, 'an entry is longer than its object');
    return 'read';
  },
};
