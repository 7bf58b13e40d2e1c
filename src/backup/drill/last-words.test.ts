import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lastWords } from './last-words.ts';

const info = '{"level":"info","msg":"closed etcd server"}';

describe('what a member said last', () => {
  it.each([
    ['nothing', '', ''],
    [
      'the gravest, and not the last',
      `{"level":"fatal","msg":"no","error":"disk"}\n${info}`,
      'no: disk',
    ],
    [
      'the last of those',
      '{"level":"warn","msg":"a"}\n{"level":"error","msg":"b"}\n{"level":"error","msg":"c"}',
      'c',
    ],
    [
      'a panic of Go, before its trace',
      `${info}\npanic: of no use.\n\ngoroutine 1 [running]:`,
      'panic: of no use',
    ],
    ['the last line, where nothing is grave', `${info}\nbye`, 'bye'],
    ['what is no JSON, and what is odd JSON', 'null\n17\n"text"\n{"level":"fatal"}', ''],
    ['in one line that moves no cursor', '{"level":"fatal","msg":"a\\n\\u001b[2Jb"}', 'a [2Jb'],
    ['in a short one', `{"level":"fatal","msg":"${'x'.repeat(1000)}"}`, `${'x'.repeat(200)}…`],
  ])('%s', (_, log, expected) => expect(lastWords(log)).toBe(expected));

  it('is always a short line', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.json())), (lines) => {
        const words = lastWords(lines.join('\n'));
        expect(words.length).toBeLessThan(210);
        expect(words).not.toMatch(/\p{C}|[.\s]$/u);
      }),
    );
  });
});
