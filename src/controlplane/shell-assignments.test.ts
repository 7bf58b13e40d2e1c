import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from './host.fixture.ts';
import { parseAssignments, ShellSyntaxError } from './shell-assignments.ts';

const parse = (text: string): Record<string, string> => Object.fromEntries(parseAssignments(text));

describe('parseAssignments', () => {
  it.each<[situation: string, text: string, values: Record<string, string>]>([
    ['as the etcd operator writes them', 'export A="1"\nexport B="x,y"\n', { A: '1', B: 'x,y' }],
    ['without export', 'A=1\n', { A: '1' }],
    ['no line feed at the end', 'A="1"', { A: '1' }],
    ['unquoted', 'A=https://10.0.1.2:2379\n', { A: 'https://10.0.1.2:2379' }],
    ['in single quotes', `A='a "b" \\ $c'\n`, { A: 'a "b" \\ $c' }],
    ['parts side by side', `A=a"b c"'d e'\\ f\n`, { A: 'ab cd e f' }],
    ['escapes in double quotes', 'A="\\$\\`\\"\\\\\\a"\n', { A: '$`"\\\\a' }],
    ['a value over two lines', 'A="1\n2"\nB=3\n', { A: '1\n2', B: '3' }],
    ['a line continued', 'A=1\\\n2\nB="3\\\n4"\n', { A: '12', B: '34' }],
    ['empty values', 'A=\nB=""\n', { A: '', B: '' }],
    ['comments and blank lines', '# c\n\n  # d\nA=1 # e\n\t\nB=a#b\n', { A: '1', B: 'a#b' }],
    ['a comment begins after a blank only', 'A=#b\nB="c"#d\n', { A: '#b', B: 'c#d' }],
    ['assigned twice, the last counts', 'A=1\nA=2\n', { A: '2' }],
    ['nothing', '', {}],
  ])('%s', (_situation, text, values) => {
    expect(parse(text)).toEqual(values);
  });

  it.each<[situation: string, text: string, line: number]>([
    ['a variable', 'A=1\nB="$A"\n', 2],
    ['a command', 'A="$(id)"\n', 1],
    ['a command in backquotes', 'A=`id`\n', 1],
    ['a second command', 'A=1; id\n', 1],
    ['a command with a variable of its own', 'A=1 id\n', 1],
    ['a pattern', 'A=*\n', 1],
    ['a home directory', 'A=~/x\n', 1],
    ['a quotation without an end', 'A=1\n\nB="2\n', 3],
    ['a backslash at the end', 'A=1\\', 1],
    ['a Windows line end', 'A=1\r\n', 1],
    ['no assignment', 'exit 1\n', 1],
    ['a name that is none', '1A=1\n', 1],
  ])('refused: %s', (_situation, text, line) => {
    expect(() => parse(text)).toThrow(ShellSyntaxError);
    expect(() => parse(text)).toThrow(expect.objectContaining({ line }) as Error);
  });

  // Characters that mean something to a shell, and some that don't.
  const text = fc.string({
    unit: fc.constantFrom(...Array.from('ab09/:,._-@%+= \t\n\'"\\$`#~*?[]{}()<>|&;!é€')),
    maxLength: 12,
  });
  const part = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9_/:.,@%+=#-]*$/),
    text.map((value) => `'${value.replaceAll("'", '')}'`),
    text.map((value) => `"${value.replace(/[$`"\\]/g, '\\$&')}"`),
    // Backslashes that escape nothing stay.
    text.map((value) => `"\\${value.replace(/[$`"\\]/g, '')}z"`),
    text.map((value) => value.replace(/[^\n]/gu, '\\$&').replaceAll('\n', '\\\n')),
  );
  const line = fc.record({
    name: fc.constantFrom('A', 'B_2', '_C'),
    exported: fc.constantFrom('', 'export ', '  export\t'),
    parts: fc.array(part, { maxLength: 4 }),
    end: fc.constantFrom('\n', ' \n', ' # é $x `y\n', '\n\n'),
  });

  it('reads whatever it accepts as a shell does', async () => {
    const file = join(await temporaryDirectory(), 'env');
    const script = '. "$1"; printf "%s\\0" "${A-unset}" "${B_2-unset}" "${_C-unset}"';
    fc.assert(
      fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
        const source = lines
          .map(({ name, exported, parts, end }) => `${exported}${name}=${parts.join('')}${end}`)
          .join('');
        writeFileSync(file, source);
        const printed = execFileSync('sh', ['-c', script, 'sh', file], { env: {} }).toString();
        const values = parse(source);
        const expected = [values['A'], values['B_2'], values['_C']];
        expect(expected.map((value) => `${value ?? 'unset'}\0`).join('')).toBe(printed);
      }),
      { numRuns: 300 },
    );
    // 300 shells are started.
  }, 30_000);

  it('never hangs and fails with its own error alone', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from('A=1 \n\'"\\$#')) }),
        (source) => {
          try {
            parse(source);
          } catch (reason) {
            expect(reason).toBeInstanceOf(ShellSyntaxError);
          }
        },
      ),
    );
  });
});
