// On a terminal: the one line that moves and goes away again, its colours, and the question for a
// password.
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOT_USER } from '../servers/etcd.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { directoryForTest, fill, flagsFor, hostForSuite, LARGE_BYTES } from './scene.ts';
import { COLUMNS, noTerminal, onTerminal } from './terminal.ts';

const VERSION = '3.6.16';

describeWithEtcd(VERSION, 'a terminal', () => {
  describe.skipIf(noTerminal !== '')(`made by script${noTerminal}`, () => {
    const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
    const locked = etcdForSuite({ version: VERSION, auth: true });
    const host = hostForSuite(etcd);
    beforeAll(() => fill(etcd(), LARGE_BYTES));

    const slowBackup = (): string[] => [
      ...['backup', `--root=${host().root}`, '--rate-limit=8MB', directoryForTest()],
    ];

    it('progress moves, and is gone at the end', async () => {
      const { code, screen } = await onTerminal(slowBackup());
      expect(code).toBe(0);
      const drawn = [...screen.matchAll(/\r(snapshot {4}[^\x1b]*)\x1b\[K/g)].map(
        ([, text]) => text!,
      );
      const shares = drawn.flatMap((text) => /(\d+) %/.exec(text)?.[1] ?? []).map(Number);
      expect(new Set(shares).size).toBeGreaterThan(3);
      expect(shares).toEqual([...shares].sort((left, right) => left - right));
      expect(drawn.at(-1)).toMatch(
        /^snapshot {4}\d\d\.\d MB {2}█+░* +\d+ % {3}\d(\.\d+)? MB\/s {3}0:0\d left$/,
      );
      for (const text of drawn) expect(text.length).toBeLessThan(COLUMNS);
      // What comes after it has the line for itself.
      expect(afterwards(screen)).toMatch(/^found latest kube-apiserver-pod: .*$/m);
      expect(afterwards(screen)).toMatch(/^Snapshot saved at /m);
      expect(afterwards(screen)).not.toMatch(/█|%/);
    });

    it('that is dumb gets plain lines', async () => {
      const { code, screen } = await onTerminal(slowBackup(), { TERM: 'dumb' });
      expect({ code, escapes: screen.includes('\x1b') }).toEqual({ code: 0, escapes: false });
    });

    it.each([
      ['colours', {}, '\x1b[33mwarning\x1b[39m '],
      ['none with NO_COLOR', { NO_COLOR: '1' }, '\nwarning '],
    ])('warnings have %s', async (_, env, warning) => {
      const line = [
        'snapshot',
        'save',
        join(directoryForTest(), 'a.db'),
        ...flagsFor(etcd().member),
      ];
      const { code, screen } = await onTerminal(line, { ETCDCTL_NONSENSE: '1', ...env });
      expect(code).toBe(0);
      expect(`\n${screen}`).toContain(warning);
    });

    describe('asks for the password', () => {
      const line = (): string[] => [
        ...['snapshot', 'save', join(directoryForTest(), 'a.db')],
        ...[...flagsFor(locked().member), `--user=${ROOT_USER.name}`],
      ];
      const after = `Password of ${ROOT_USER.name}: `;

      it('without an echo', async () => {
        const typing = { after, keys: `${ROOT_USER.password}\r` };
        const { code, screen } = await onTerminal(line(), {}, typing);
        expect(code, screen).toBe(0);
        expect(screen).not.toContain(ROOT_USER.password);
        expect(screen).toContain('Snapshot saved at');
      });

      it('and is told to stop by Ctrl-C', async () => {
        const { code, screen } = await onTerminal(line(), {}, { after, keys: '\x03' });
        expect(code).toBe(130);
        expect(screen).toContain('(interrupted)');
      });
    });
  });
});

/** What is left on a screen of which every line that was removed is gone. */
function afterwards(screen: string): string {
  return screen
    .split('\n')
    .map((line) => line.replace(/\r$/, '').replace(/^[^]*\r(\x1b\[K)?/, ''))
    .join('\n');
}
