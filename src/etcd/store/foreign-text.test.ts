import { expect, it } from 'vitest';
import { leaseId, memberId, quoted } from './foreign-text.ts';

it('ids are as etcdctl prints them', () => {
  expect([memberId(0x1an), memberId(0x8e9e05c52164694dn)]).toEqual(['1a', '8e9e05c52164694d']);
  expect(leaseId(0x1an)).toBe('000000000000001a');
});

it.each([
  ['plain text', '"plain text"'],
  ['a "b" \\', '"a \\"b\\" \\\\"'],
  ['\u001b[2J\n', '"\\u001b[2J\\u000a"'],
  ['to the \u202eleft', '"to the \\u202eleft"'],
  ['é 猫', '"é 猫"'],
  ['x'.repeat(61), `"${'x'.repeat(60)}..."`],
])('%j is shown as %s', (text, shown) => expect(quoted(text)).toBe(shown));

it('bytes that are no text are shown all the same', () => {
  expect(quoted(Buffer.from([0xff, 0x61]))).toBe('"\ufffda"');
});
