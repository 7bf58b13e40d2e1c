// An object as the API server stores it: its envelope, and the few fields of it that tell whose it is. Nothing is decrypted.

import { MessageReader } from '../etcd/store/message-reader.ts';

/** Who encrypted a value, by its prefix. */
export interface EncryptionPrefix {
  /** `aescbc`, `aesgcm`, `secretbox`, `kms` */
  readonly provider: string;
  readonly keyName: string;
}

/** What every object says of itself. A field that is not there is an empty text. */
export interface ObjectIdentity {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

export interface StoredObject extends ObjectIdentity {
  /** The whole of an object that is stored as JSON, which custom resources always are. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
  /** The message of one that is stored as protobuf; read by its field numbers. */
  readonly message: Uint8Array | undefined;
}

/** Bytes at the front of a value that are enough for its prefix: a provider of kind kms is named as a DNS subdomain. */
export const PREFIX_BYTES = 320;

const ENCRYPTED = 'k8s:enc:';
/**
 * k8s.io/apiserver, pkg/server/options/encryptionconfig/config.go: `k8s:enc:<provider>:<version>:<key>:`. No name has
 * a colon.
 */
const PREFIX = /^k8s:enc:([a-z0-9]{1,32}):v\d{1,4}:([^:]{1,260}):/;

/** k8s.io/apimachinery, pkg/runtime/serializer/protobuf/protobuf.go: then a runtime.Unknown. */
const PROTOBUF = Buffer.from('k8s\0');

/** A longer one is no identity. */
const TEXT_SIZE_MAX = 512;

/**
 * Who encrypted a value.
 * @param front of the value, PREFIX_BYTES of it or all
 * @returns undefined if it is not encrypted
 */
export function encryptionPrefix(front: Uint8Array): EncryptionPrefix | undefined {
  const text = Buffer.from(front.buffer, front.byteOffset, front.length);
  if (!text.subarray(0, ENCRYPTED.length).equals(Buffer.from(ENCRYPTED))) return undefined;
  const [, provider, keyName] = PREFIX.exec(text.toString('utf8', 0, PREFIX_BYTES)) ?? [];
  // Encrypted by whom nobody knows: no key will be found for it.
  return { provider: provider ?? 'unknown', keyName: keyName ?? '' };
}

/** @returns undefined if it is encrypted, or no object of Kubernetes that can be read */
export function readStoredObject(value: Uint8Array): StoredObject | undefined {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  if (bytes[0] === 0x7b) return readJson(bytes);
  if (bytes.subarray(0, PROTOBUF.length).equals(PROTOBUF)) return readProtobuf(bytes);
  return undefined;
}

/** One entry of the data of a ConfigMap (k8s.io/api/core/v1, generated.proto: a map in field 2). */
export function configMapEntry(object: StoredObject, key: string): string | undefined {
  if (object.message === undefined) {
    const entry = asRecord(object.json?.['data'])?.[key];
    return typeof entry === 'string' ? entry : undefined;
  }
  for (const field of fieldsOf(object.message)) {
    if (field.number !== 2) continue;
    const [name, text] = textsOf(field.bytes, [1, 2], field.bytes.length);
    if (name === key) return text;
  }
  return undefined;
}

function readJson(bytes: Buffer): StoredObject | undefined {
  let json: Record<string, unknown> | undefined;
  try {
    json = asRecord(JSON.parse(bytes.toString('utf8')));
  } catch {
    return undefined;
  }
  if (json === undefined) return undefined;
  const { name, namespace, uid } = asRecord(json['metadata']) ?? {};
  const [kind, ...rest] = [json['kind'], name, namespace, uid].map((text) =>
    typeof text === 'string' && text.length <= TEXT_SIZE_MAX ? text : '',
  );
  return { kind: kind!, ...identity(rest), json, message: undefined };
}

/** runtime.Unknown: TypeMeta in 1 (its kind in 2), the object in 2; there ObjectMeta in 1. */
function readProtobuf(bytes: Buffer): StoredObject | undefined {
  const unknown = fieldsOf(bytes.subarray(PROTOBUF.length));
  const type = unknown.find(({ number }) => number === 1);
  const raw = unknown.find(({ number }) => number === 2);
  if (type === undefined || raw === undefined) return undefined;
  const metadata = fieldsOf(raw.bytes).find(({ number }) => number === 1);
  const [kind] = textsOf(type.bytes, [2]);
  const rest = metadata === undefined ? [] : textsOf(metadata.bytes, [1, 3, 5]);
  return { kind: kind!, ...identity(rest), json: undefined, message: raw.bytes };
}

function identity([name = '', namespace = '', uid = '']: readonly string[]) {
  return { name, namespace, uid };
}

interface Field {
  readonly number: number;
  readonly bytes: Buffer;
}

/** The fields of a message that are no numbers; none where it is no message. */
function fieldsOf(bytes: Uint8Array): readonly Field[] {
  const reader = new MessageReader().open(bytes);
  const fields: Field[] = [];
  while (reader.next()) {
    if (reader.isVarint) continue;
    const { field: number, start, end } = reader;
    const length = end - start;
    fields.push({ number, bytes: Buffer.from(bytes.buffer, bytes.byteOffset + start, length) });
  }
  return reader.isMalformed ? [] : fields;
}

/** The texts of some fields in the order that is asked for; empty where there is none, or a longer one. */
function textsOf(
  bytes: Uint8Array,
  numbers: readonly number[],
  sizeMax: number = TEXT_SIZE_MAX,
): readonly string[] {
  const fields = fieldsOf(bytes);
  return numbers.map((number) => {
    const found = fields.findLast((field) => field.number === number);
    return found === undefined || found.bytes.length > sizeMax ? '' : found.bytes.toString('utf8');
  });
}

function asRecord(value: unknown): Record<string, unknown> | undefined {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isRecord ? (value as Record<string, unknown>) : undefined;
}
