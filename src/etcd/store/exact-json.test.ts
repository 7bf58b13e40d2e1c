import { describe, expect, it } from 'vitest';
import { idList, isId, parseObject, textList } from './exact-json.ts';

const parse = (text: string) => parseObject(Buffer.from(text));

describe('parseObject', () => {
  it('keeps ids to the last digit', () => {
    expect(
      parse('{"id":5564534052234061883,"ids":[18446744073709551615],"f":1.5,"t":"7"}'),
    ).toEqual({ id: 5564534052234061883n, ids: [18446744073709551615n], f: 1.5, t: '7' });
  });

  it.each(['', 'null', '[1]', '7', '{"a":}', '{"a":1}x'])('%j is no object', (text) =>
    expect(parse(text)).toBeUndefined(),
  );

  it('reads none that is larger than any of etcd', () => {
    expect(parse(`{"a":"${'x'.repeat(1 << 20)}"}`)).toBeUndefined();
  });

  it('ends where it is nested deeper than can be gone into', () => {
    expect(parse(`{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`)).toBeUndefined();
  });
});

describe('lists', () => {
  it('of ids and of texts hold nothing else', () => {
    expect([idList(undefined), idList(null), textList(undefined)]).toEqual([[], [], []]);
    expect([idList([1n, 2n ** 64n - 1n]), textList(['a'])]).toEqual([[1n, 2n ** 64n - 1n], ['a']]);
    for (const other of [['a'], [-1n], [2n ** 64n], [1.5], 'a', {}]) {
      expect(idList(other)).toBeUndefined();
    }
    for (const other of [[1n], 'a', { 0: 'a' }]) expect(textList(other)).toBeUndefined();
    expect([isId(0n), isId(1), isId(undefined)]).toEqual([true, false, false]);
  });
});
