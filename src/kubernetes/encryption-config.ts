// Which keys encrypt Kubernetes objects at rest, by name. The file that says so holds the keys
// themselves: they never leave this parser, not in a value and not in an error.

import { z } from 'zod';
import { EtcdkeepError } from '../base/errors.ts';
import { parseYaml, YamlSyntaxError } from '../base/yaml.ts';

/** A key by its name, which every value that it encrypted carries in its prefix. */
export interface EncryptionKey {
  readonly provider: 'aescbc' | 'aesgcm' | 'secretbox' | 'kms';
  readonly name: string;
}

/** How the objects of one resource are encrypted. */
export interface ResourceEncryption {
  /** As the file names it: `secrets`, `routes.route.openshift.io`, `*.*`. */
  readonly resource: string;
  /** The key that writes; undefined where values are written as they are. */
  readonly writeKey: EncryptionKey | undefined;
  /** Every key that reads, in the order in which they are tried. */
  readonly keys: readonly EncryptionKey[];
}

export interface EncryptionConfig {
  /** Whether any resource is written encrypted. While this is false, old values may still be. */
  readonly on: boolean;
  readonly resources: readonly ResourceEncryption[];
}

/** The API server has no encryption-config: it never encrypted anything. */
export const NO_ENCRYPTION: EncryptionConfig = { on: false, resources: [] };

// OpenShift carries the state "identity" as an aesgcm key of 16 zero bytes (library-go,
// pkg/operator/encryption/crypto/keys.go, NewEmptyKey). Only this much of a secret is kept.
const secretKind = z
  .string()
  .transform((secret) =>
    Buffer.from(secret, 'base64').equals(Buffer.alloc(16)) ? 'identity' : 'key',
  );

const keyList = z.object({
  keys: z.array(z.object({ name: z.string().min(1), secret: secretKind })).min(1),
});

// k8s.io/apiserver, pkg/apis/apiserver/v1/types_encryption.go, ProviderConfiguration: one of them.
const provider = z.object({
  identity: z.object({}).optional(),
  aescbc: keyList.optional(),
  aesgcm: keyList.optional(),
  secretbox: keyList.optional(),
  kms: z.object({ name: z.string().min(1) }).optional(),
});

const schema = z.object({
  kind: z.literal('EncryptionConfiguration'),
  apiVersion: z.string().startsWith('apiserver.config.k8s.io/'),
  resources: z.array(
    z.object({ resources: z.array(z.string()).min(1), providers: z.array(provider).min(1) }),
  ),
});

/**
 * Parses an EncryptionConfiguration: JSON, as OpenShift writes it, or YAML.
 * @param path where the text comes from, for errors
 * @throws EtcdkeepError `encryption-config-invalid`
 */
export function parseEncryptionConfig(text: string, path: string): EncryptionConfig {
  const parsed = schema.safeParse(parseText(text, path));
  if (!parsed.success) {
    const { message, path: field } = parsed.error.issues[0]!;
    throw invalid(`at ${field.join('.') || 'its top'}: ${message}`, path);
  }
  const resources = parsed.data.resources.flatMap((entry) => {
    const tried = entry.providers.map((each) => keysOf(each, path));
    const keys = tried.flat().filter((key) => key !== 'identity');
    const writer = tried[0]![0]!;
    const writeKey = writer === 'identity' ? undefined : writer;
    return entry.resources.map((resource) => ({ resource, writeKey, keys }));
  });
  return { on: resources.some(({ writeKey }) => writeKey !== undefined), resources };
}

/** The names in a configuration, each once, sorted: what a record says of it. */
export function summarizeEncryption(config: EncryptionConfig): {
  on: boolean;
  providers: string[];
  keyNames: string[];
} {
  const keys = config.resources.flatMap((resource) => resource.keys);
  const distinct = (names: string[]): string[] => [...new Set(names)].sort();
  return {
    on: config.on,
    providers: distinct(keys.map((key) => key.provider)),
    keyNames: distinct(keys.map((key) => key.name)),
  };
}

function keysOf(
  one: z.infer<typeof provider>,
  path: string,
): readonly (EncryptionKey | 'identity')[] {
  // What the schema does not know is gone by now.
  if (Object.keys(one).length !== 1) {
    throw invalid('a provider is none that is known, or more than one', path);
  }
  if (one.identity !== undefined) return ['identity'];
  if (one.kms !== undefined) return [{ provider: 'kms', name: one.kms.name }];
  return (['aescbc', 'aesgcm', 'secretbox'] as const).flatMap((name) =>
    (one[name]?.keys ?? []).map((key) =>
      name === 'aesgcm' && key.secret === 'identity'
        ? 'identity'
        : { provider: name, name: key.name },
    ),
  );
}

function parseText(text: string, path: string): unknown {
  try {
    return parseYaml(text);
  } catch (reason) {
    if (reason instanceof YamlSyntaxError) throw invalid(reason.message, path);
    throw reason;
  }
}

function invalid(why: string, path: string): EtcdkeepError {
  return new EtcdkeepError(
    'encryption-config-invalid',
    `cannot use the encryption-config: ${why}`,
    {
      path,
    },
  );
}
