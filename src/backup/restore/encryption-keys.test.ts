import { describe, expect, it } from 'vitest';
import type { EncryptionConfig } from '../../kubernetes/encryption-config.ts';
import { decideKeys, type KeyPlaces, type UsedKey } from './encryption-keys.ts';

const used = (name: string, provider = 'aescbc'): UsedKey => ({
  provider,
  name,
  values: 2,
  example: '/kubernetes.io/secrets/default/a',
});
const config = (...names: string[]): EncryptionConfig => {
  const keys = names.map((name) => ({ provider: 'aescbc' as const, name }));
  return { on: true, resources: [{ resource: 'secrets', writeKey: keys[0], keys }] };
};
const NOWHERE: KeyPlaces = { here: undefined, archived: undefined, isReplaced: false };

describe('keys', () => {
  it.each<[string, UsedKey[], Partial<KeyPlaces>, string, boolean]>([
    ['that nothing needs', [], {}, 'passed', false],
    ['that are here', [used('1')], { here: config('2', '1') }, 'passed', false],
    [
      'that are in both',
      [used('1')],
      { here: config('1'), archived: config('1') },
      'passed',
      false,
    ],
    [
      'that only the archive has',
      [used('1')],
      { here: config('2'), archived: config('1') },
      'passed',
      true,
    ],
    [
      'that are here, and not in what replaces it',
      [used('1')],
      { here: config('1'), archived: config('2'), isReplaced: true },
      'failed',
      false,
    ],
    [
      'that come back anyway',
      [used('1')],
      { archived: config('1'), isReplaced: true },
      'passed',
      false,
    ],
    [
      'of which each place has one',
      [used('1'), used('2')],
      { here: config('1'), archived: config('2') },
      'failed',
      false,
    ],
    ['that nobody has', [used('1')], { here: config('2') }, 'failed', false],
    [
      'of the same name and another provider',
      [used('1', 'aesgcm')],
      { here: config('1') },
      'failed',
      false,
    ],
    ['where nobody knows what will be loaded', [used('1')], {}, 'unknown', false],
  ])('%s', (_, needed, places, result, takeArchived) => {
    const decision = decideKeys(needed, { ...NOWHERE, ...places });
    expect([decision.outcome.result, decision.takeArchived]).toEqual([result, takeArchived]);
  });

  it('that are missing are named, with a value that needs each', () => {
    const { outcome } = decideKeys([used('7\u001b[2J')], { ...NOWHERE, here: config('1') });
    expect(outcome.evidence).toBe(
      'aescbc key "7\\u001b[2J" (2 values, as "/kubernetes.io/secrets/default/a") is neither on this host nor in the archive',
    );
  });
});
