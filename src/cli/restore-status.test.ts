import { describe, expect, it } from 'vitest';
import { demandStatus } from './restore-status.ts';

type Flags = Parameters<typeof demandStatus>[0];

describe('demandStatus', () => {
  const check = (flags: Partial<Flags>, stamp?: string): void =>
    demandStatus({ requestTimeout: 30_000, ...flags }, stamp);

  it.each<[string, Partial<Flags>, string | undefined]>([
    ['a restore', { root: '/host', endpoints: 'https://a:2379' }, undefined],
    ['a host', { root: '/host', cacert: 'ca.crt', watch: true }, '20261123-170200'],
    ['an API', { kubeconfig: 'k', context: 'c', as: 'u', asGroup: ['g'], timeout: 1000 }, ''],
    ['one look', { kubeconfig: 'k', watch: false }, ''],
  ])('takes what says something: %s', (_, flags, stamp) =>
    expect(() => check(flags, stamp)).not.toThrow(),
  );

  it.each<[string, Partial<Flags>, string | undefined]>([
    ['--kubeconfig says nothing without --status', { kubeconfig: 'k' }, undefined],
    ['--as says nothing without --status', { as: 'u' }, undefined],
    ['--watch says nothing without --status', { watch: true }, undefined],
    ['--timeout says nothing without --status', { timeout: 1 }, undefined],
    ['--as-group says nothing without --as', { kubeconfig: 'k', asGroup: ['g'] }, ''],
    ['--timeout and --no-watch contradict each other', { timeout: 1, watch: false }, ''],
    [
      '--root says nothing with --context: the API is asked then',
      { context: 'c', root: '/host' },
      '',
    ],
    [
      '--endpoints says nothing with --kubeconfig: the API is asked then',
      { kubeconfig: 'k', endpoints: 'https://a:2379' },
      '',
    ],
    ['--status takes no stamp from elsewhere', { kubeconfig: 'k' }, '20261123-170200'],
  ])('%s', (message, flags, stamp) => {
    expect(() => check(flags, stamp)).toThrow(expect.objectContaining({ code: 'usage', message }));
  });
});
