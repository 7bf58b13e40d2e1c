import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { ownerWords } from './host-flags.ts';
import {
  demandMeaning,
  demandOnePlace,
  demandOnePlaceToCheck,
  hostFlags,
  isRemote,
  type RemoteFlags,
} from './remote-flags.ts';

describe('demandMeaning', () => {
  type Flags = Parameters<typeof demandMeaning>[0];
  const check = (flags: Partial<Flags>): void =>
    demandMeaning({ requestTimeout: 30_000, hashCheck: true, strict: false, ...flags });

  it.each<Partial<Flags>>([
    { endpoints: 'https://10.0.1.2:2379', root: '/host' },
    { node: 'a', kubeconfig: 'k', context: 'c', as: 'u', asGroup: ['g'], image: 'i' },
    { ssh: 'core@a', executable: 'etcdkeep' },
  ])('%j: each says something', (flags) => expect(() => check(flags)).not.toThrow());

  it.each<[string, Partial<Flags>]>([
    ['--kubeconfig says nothing without --node or --ssh', { kubeconfig: 'k' }],
    ['--to-namespace says nothing without --node or --ssh', { toNamespace: 'n' }],
    ['--executable says nothing without --node or --ssh', { executable: 'e' }],
    ['--image says nothing with --ssh', { ssh: 'core@a', image: 'i' }],
    ['--as-group says nothing without --as', { node: 'a', asGroup: ['g'] }],
    [
      '--root says nothing with --node or --ssh: the host knows its own etcd',
      { node: 'a', root: '/' },
    ],
    [
      '--insecure-skip-tls-verify says nothing with --node or --ssh: the host knows its own etcd',
      { ssh: 'core@a', insecureSkipTlsVerify: true },
    ],
  ])('%s', (message, flags) => {
    expect(() => check(flags)).toThrow(expect.objectContaining({ code: 'usage', message }));
  });
});

describe('demandOnePlace', () => {
  const check = (flags: Partial<RemoteFlags>, directory?: string): void =>
    demandOnePlace({ requestTimeout: 30_000, ...flags }, directory);

  it.each<[string, Partial<RemoteFlags>, string | undefined]>([
    ['DIR, on the host itself', {}, 'backups'],
    ['--node and --dest-dir', { node: 'auto', destDir: 'backups' }, undefined],
    ['--node and --leave-on-node', { node: 'a', leaveOnNode: '/backups' }, undefined],
    ['--ssh and --dest-dir', { ssh: 'core@10.0.1.2', destDir: 'backups' }, undefined],
    ['--ssh and --leave-on-node', { ssh: 'core@a', leaveOnNode: '/backups' }, undefined],
  ])('takes %s', (_, flags, directory) => expect(() => check(flags, directory)).not.toThrow());

  const DIRECTORY = 'name the directory for the backup';
  const PLACE = 'name one place: --dest-dir DIR here, or --leave-on-node DIR on the host';
  const NO_DIR = 'a host that is reached from here has no DIR';
  it.each<[string, string, Partial<RemoteFlags>, string | undefined]>([
    ['nothing', DIRECTORY, {}, undefined],
    ['--dest-dir alone', DIRECTORY, { destDir: 'here' }, undefined],
    ['--dest-dir with DIR', DIRECTORY, { destDir: 'here' }, 'backups'],
    ['--leave-on-node with DIR', DIRECTORY, { leaveOnNode: '/there' }, 'backups'],
    [
      'both ways',
      '--node and --ssh exclude each other',
      { node: 'a', ssh: 'b', destDir: 'c' },
      undefined,
    ],
    ['--node with DIR', NO_DIR, { node: 'a', destDir: 'here' }, 'backups'],
    ['--ssh with DIR', NO_DIR, { ssh: 'core@a' }, 'backups'],
    ['--node without a place', PLACE, { node: 'a' }, undefined],
    ['--ssh without a place', PLACE, { ssh: 'core@a' }, undefined],
    ['--node with both places', PLACE, { node: 'a', destDir: 'b', leaveOnNode: '/c' }, undefined],
  ])('refuses %s', (_, message, flags, directory) => {
    let reason: unknown;
    try {
      check(flags, directory);
    } catch (thrown) {
      reason = thrown;
    }
    expect(reason).toMatchObject({ code: 'usage', message });
    expect((reason as { advice: string }).advice).not.toBe('');
  });
});

describe('demandOnePlaceToCheck', () => {
  const check = (flags: Partial<RemoteFlags>, directory?: string): void =>
    demandOnePlaceToCheck({ requestTimeout: 30_000, ...flags }, directory);

  it.each<[string, Partial<RemoteFlags>, string | undefined]>([
    ['nothing', {}, undefined],
    ['DIR, on the host itself', {}, 'backups'],
    ['--node alone', { node: 'auto' }, undefined],
    ['--ssh with a directory there', { ssh: 'core@a', leaveOnNode: '/backups' }, undefined],
  ])('takes %s', (_, flags, directory) => expect(() => check(flags, directory)).not.toThrow());

  it.each<[string, Partial<RemoteFlags>, string | undefined]>([
    ['--node and --ssh exclude each other', { node: 'a', ssh: 'b' }, undefined],
    ['a host that is reached from here has no DIR', { node: 'a' }, 'backups'],
    ['--leave-on-node says nothing without --node or --ssh', { leaveOnNode: '/b' }, undefined],
  ])('%s', (message, flags, directory) =>
    expect(() => check(flags, directory)).toThrow(
      expect.objectContaining({ code: 'usage', message }),
    ),
  );
});

it.each<[Partial<RemoteFlags>, boolean]>([
  [{}, false],
  [{ destDir: 'here' }, false],
  [{ node: 'auto' }, true],
  [{ ssh: 'core@a' }, true],
])('of %o the host is elsewhere: %s', (flags, expected) =>
  expect(isRemote({ requestTimeout: 30_000, ...flags })).toBe(expected),
);

describe('hostFlags', () => {
  const plain = { force: false, strict: false, hashCheck: true, idleTimeout: 30_000 };

  it('says what is not as it is anyway', () =>
    expect(hostFlags(plain)).toEqual(['--idle-timeout=30000ms']));

  it('says all that was asked for', () =>
    expect(
      hostFlags({
        force: true,
        strict: true,
        hashCheck: false,
        skipCheck: ['quorum=it is known', 'lag'],
        idleTimeout: 5000,
        rateLimit: 50_000_000,
      }),
    ).toEqual([
      '--force',
      '--strict',
      '--no-hash-check',
      '--skip-check=quorum=it is known',
      '--skip-check=lag',
      '--idle-timeout=5000ms',
      '--rate-limit=50000000',
    ]));
});

it('tells others who it is', () => {
  expect(ownerWords()).toContain(`@${hostname()}, process ${process.pid}`);
});
