import { expect, it } from 'vitest';
import { memberJson, newCluster } from './new-member.ts';

// Seen in a real restore: token tokR, two members.
it('gives the ids that etcd gives', () => {
  const urls = new Map([
    ['b', ['http://127.0.0.1:23803']],
    ['a', ['http://127.0.0.1:23801']],
  ]);
  const { id, members } = newCluster(urls, 'tokR');
  expect(id.toString(16)).toBe('3c0829360915fee0');
  expect(members.map((member) => [member.id.toString(16), member.name])).toEqual([
    ['10431edf426909a4', 'b'],
    ['56315ab399162fdf', 'a'],
  ]);
});

it('takes the token into account, and not the name', () => {
  const idOf = (name: string, token: string): bigint =>
    newCluster(new Map([[name, ['http://127.0.0.1:23801']]]), token).members[0]!.id;
  expect(idOf('a', 'one')).toBe(idOf('b', 'one'));
  expect(idOf('a', 'one')).not.toBe(idOf('a', 'two'));
});

it('writes a member as Go does', () => {
  const [member] = newCluster(new Map([['<a> & "b"', ['http://h:1']]]), 't').members;
  expect(memberJson(member!).toString()).toBe(
    `{"id":${member!.id},"peerURLs":["http://h:1"],"name":"\\u003ca\\u003e \\u0026 \\"b\\""}`,
  );
});
