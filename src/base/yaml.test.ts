import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { parseYaml, YamlSyntaxError } from './yaml.ts';

const errorOf = (text: string): YamlSyntaxError => {
  try {
    parseYaml(text);
  } catch (reason) {
    if (reason instanceof YamlSyntaxError) return reason;
  }
  throw new Error('no YamlSyntaxError');
};

describe('parseYaml', () => {
  it('reads YAML and JSON', () => {
    expect(parseYaml('a: [1, "2"]\nb:\n  - c: null\n')).toEqual({ a: [1, '2'], b: [{ c: null }] });
    expect(parseYaml('{"a": {"b": [true]}}')).toEqual({ a: { b: [true] } });
  });

  it('says in which line it is none, and nothing of what is there', () => {
    const error = errorOf('secret: c2VjcmV0\nother: "c2VjcmV0\n');
    expect(error.line).toBeGreaterThan(1);
    expect(JSON.stringify([error.message, error])).not.toContain('c2VjcmV0');
  });

  it('prints no warning, which would quote it', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
    expect(parseYaml('{? {secret: c2VjcmV0} : 1}')).toBeTypeOf('object');
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  it.each([
    ['a tab that indents', 'a:\n\tb: 1\n'],
    ['a key that is there twice', 'a: 1\na: 2\n'],
    ['two documents', 'a: 1\n---\nb: 2\n'],
    ['an alias of nothing', 'a: *nothing\n'],
    ['aliases without end', bomb()],
  ])('refuses %s', (_, text) => {
    expect(errorOf(text)).toBeInstanceOf(YamlSyntaxError);
  });

  it('gives a value or a YamlSyntaxError, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.string({ unit: 'binary' })), (text) => {
        try {
          parseYaml(text);
        } catch (reason) {
          expect(reason).toBeInstanceOf(YamlSyntaxError);
        }
      }),
    );
  });
});

/** Nine levels of nine aliases each: 400 million strings. */
function bomb(): string {
  const levels = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 9; level += 1) {
    const aliases = Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ');
    levels.push(`a${level}: &a${level} [${aliases}]`);
  }
  return levels.join('\n');
}
