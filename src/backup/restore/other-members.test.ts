import { describe, expect, it } from 'vitest';
import { Host } from '../../controlplane/host.ts';
import { checkOtherMembers, dialOthers, othersOf } from './other-members.ts';
import type { KnownMember, OwnHost } from './own-host.ts';

const member = (name: string, ...peerUrls: string[]): KnownMember => ({
  name,
  peerUrls,
  clientUrls: [],
});
const OWN = {
  host: new Host('/', 'openshift'),
  member: { name: 'a' },
  peerUrls: ['https://10.0.0.1:2380'],
} as unknown as OwnHost;

describe('the other members', () => {
  it('are those that anybody names, each once, but for the own one', () => {
    const others = othersOf(OWN, [
      [member('a', 'https://10.0.0.9:2380'), member('b', 'https://10.0.0.2:2380')],
      // By another name, and by the same address.
      [member('node-a', 'https://10.0.0.1:2380'), member('node-b', 'https://10.0.0.2:2380')],
      // It has moved.
      [member('b', 'https://10.0.0.5:2380'), member('0', 'https://10.0.0.4:2380')],
    ]);
    expect(others).toEqual([
      member('0', 'https://10.0.0.4:2380'),
      member('b', 'https://10.0.0.2:2380', 'https://10.0.0.5:2380'),
    ]);
  });

  it('have the name that somebody knows in the place of an id', () => {
    const lists = [
      [{ ...member('8e9e05c52164694d', 'https://10.0.0.2:2380'), isUnnamed: true as const }],
      [member('b', 'https://10.0.0.2:2380')],
    ];
    expect(othersOf(OWN, lists).map(({ name }) => name)).toEqual(['b']);
  });

  it('without an address can only be attested', async () => {
    const { signal } = new AbortController();
    const [unknown] = await dialOthers([member('b')], [], signal);
    expect(unknown).toMatchObject({ state: 'unknown', seen: 'nobody knows its address' });
    expect(checkOtherMembers([unknown!])).toEqual({ result: 'failed', evidence: 'b is unknown' });
    const [attested] = await dialOthers([member('b')], ['b'], signal);
    expect(attested!.state).toBe('attested');
    expect(checkOtherMembers([attested!]).result).toBe('passed');
  });

  it('that are none are no reason to refuse', () => {
    expect(checkOtherMembers([])).toEqual({
      result: 'passed',
      evidence: 'nobody knows of another member',
    });
  });
});
