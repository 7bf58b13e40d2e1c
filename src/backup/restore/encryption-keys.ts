// The keys that the snapshot's values were encrypted with, by the names in their prefixes, beside those that the API server
// will have after the restore. Nothing is decrypted.

import { formatCount } from '../../base/units.ts';
import type { LayoutName } from '../../controlplane/host.ts';
import { quoted } from '../../etcd/store/foreign-text.ts';
import { type EncryptionConfig, NO_ENCRYPTION } from '../../kubernetes/encryption-config.ts';
import { encryptionPrefix, PREFIX_BYTES } from '../../kubernetes/stored-object.ts';
import { failed, type Outcome, passed, unknown } from '../checks/result.ts';
import type { StoredData } from './cluster-data.ts';

export interface UsedKey {
  readonly provider: string;
  readonly name: string;
  /** Values that were encrypted with it. */
  readonly values: number;
  /** A storage key of such a value. */
  readonly example: string;
}

/** A prefix is looked for in the first bytes; the rest of it is read where there is one. */
const FRONT_BYTES = 64;

/** More keys than any cluster has had: what follows is counted under the last. */
const KEYS_MAX = 1000;

/**
 * Reads the front of every live value, in the order of the file.
 * @param layout OpenShift's other API servers keep what they store below /openshift.io, and their keys in etcd, under
 * these: they are not looked for on the host
 */
export async function usedKeys(
  { index, source }: StoredData,
  layout: LayoutName,
  signal: AbortSignal,
): Promise<readonly UsedKey[]> {
  const used = new Map<
    string,
    { provider: string; name: string; values: number; example: string }
  >();
  const buffer = new Uint8Array(PREFIX_BYTES);
  for (const { key, valueOffset, valueLength } of index.inRecordOrder()) {
    signal.throwIfAborted();
    const storageKey = Buffer.from(key.buffer, key.byteOffset, key.length);
    if (layout === 'openshift' && !storageKey.subarray(0, 15).equals(KUBERNETES)) continue;
    const front = buffer.subarray(0, Math.min(FRONT_BYTES, valueLength));
    await source.read(front, valueOffset);
    let prefix = encryptionPrefix(front);
    if (prefix === undefined) continue;
    if (prefix.provider === 'unknown') {
      const more = buffer.subarray(0, Math.min(PREFIX_BYTES, valueLength));
      await source.read(more, valueOffset);
      prefix = encryptionPrefix(more)!;
    }
    const { provider, keyName: name } = prefix;
    const known = used.get(`${provider}:${name}`);
    if (known !== undefined) known.values += 1;
    else if (used.size < KEYS_MAX) {
      const example = storageKey.toString('utf8');
      used.set(`${provider}:${name}`, { provider, name, values: 1, example });
    }
  }
  return [...used.values()].sort((left, right) => nameOf(left).localeCompare(nameOf(right)));
}

const KUBERNETES = Buffer.from('/kubernetes.io/');

/** Where keys can come from. */
export interface KeyPlaces {
  /** Of the API server as this host runs it now; undefined if that is not known. */
  readonly here: EncryptionConfig | undefined;
  /** Of the archive; undefined if there is none. */
  readonly archived: EncryptionConfig | undefined;
  /** Whether the archive's replaces this host's in any case: it is missing here, or of the same revision. */
  readonly isReplaced: boolean;
}

export interface KeyDecision {
  readonly used: readonly UsedKey[];
  /** Whether the API server has to be given the archive's configuration, which it would not load otherwise. */
  readonly takeArchived: boolean;
  readonly outcome: Outcome;
}

/** What this host has is kept where it will do: it may know keys that are newer than the backup. */
export function decideKeys(used: readonly UsedKey[], places: KeyPlaces): KeyDecision {
  const { here, archived = NO_ENCRYPTION, isReplaced } = places;
  const loaded = isReplaced ? archived : (here ?? NO_ENCRYPTION);
  const missing = missingFrom(used, loaded);
  if (used.length === 0) {
    return { used, takeArchived: false, outcome: passed('no value of the snapshot is encrypted') };
  }
  const names = used.map(nameOf).join(', ');
  if (missing.length === 0) {
    const whose = isReplaced ? "the archive's configuration" : "this host's configuration";
    return { used, takeArchived: false, outcome: passed(`${names}: ${whose} has ${each(used)}`) };
  }
  if (!isReplaced && missingFrom(used, archived).length === 0) {
    const outcome = passed(
      `${missing.map(nameOf).join(', ')}: not in this host's configuration; the archive's comes back, which has ${each(used)}`,
    );
    return { used, takeArchived: true, outcome };
  }
  const lacking = missing.map((key) => `${nameOf(key)} (${valuesOf(key)})`).join(', ');
  const outcome =
    here === undefined && !isReplaced && archived === NO_ENCRYPTION
      ? unknown(`which keys the API server will load is not known; the snapshot needs ${names}`)
      : failed(
          `${lacking} ${missing.length === 1 ? 'is' : 'are'} neither on this host nor in the archive`,
        );
  return { used, takeArchived: false, outcome };
}

function missingFrom(used: readonly UsedKey[], config: EncryptionConfig): readonly UsedKey[] {
  const known = config.resources.flatMap(({ keys }) => keys);
  return used.filter(
    // OpenShift appends the resource to the name of a KMS key: `1_secrets` in values as in the file.
    (key) => !known.some(({ provider, name }) => provider === key.provider && name === key.name),
  );
}

function nameOf({ provider, name }: { readonly provider: string; readonly name: string }): string {
  return `${provider} key ${quoted(name)}`;
}

function valuesOf({ values, example }: UsedKey): string {
  return values === 1 ? quoted(example) : `${formatCount(values)} values, as ${quoted(example)}`;
}

function each(used: readonly UsedKey[]): string {
  return used.length === 1 ? 'it' : 'each';
}
