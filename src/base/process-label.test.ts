import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { hasEnded, mayStillRun, processLabel } from './process-label.ts';

const MODULE = new URL('./process-label.ts', import.meta.url).href;

it('this process still runs', () => expect(mayStillRun(processLabel())).toBe(true));

it('another process runs until it ends', async () => {
  const print = `import('${MODULE}').then((m) => { console.log(m.processLabel()); process.stdin.resume(); })`;
  const child = spawn(process.execPath, ['-e', print], { stdio: ['pipe', 'pipe', 'ignore'] });
  const [output] = (await once(child.stdout, 'data')) as [Buffer];
  const label = output.toString().trim();
  expect([mayStillRun(label), hasEnded(label)]).toEqual([true, false]);
  child.stdin.end();
  await once(child, 'exit');
  expect([mayStillRun(label), hasEnded(label)]).toEqual([false, true]);
});

it('a pid that another process has by now is not the one that was meant', () => {
  const label = processLabel().replace(/\d+$/, '1');
  expect(mayStillRun(label)).toBe(false);
});

it('a process of an earlier boot does not run', () => {
  expect(mayStillRun(processLabel().replace(/(?<=^\w+-)\w+/, '00000000'))).toBe(false);
});

it('a process of another boot may be of another machine of this name, so it is not known to have ended', () => {
  expect(hasEnded(processLabel().replace(/(?<=^\w+-)\w+/, '00000000'))).toBe(false);
});

it('of a process on another host nothing is known, so it may run', () => {
  expect(mayStillRun(processLabel().replace(/^\w+-\w+/, '00000000-00000000'))).toBe(true);
});

it('of a process in another pid namespace nothing is known, so it may run', () => {
  const [host, boot, , pid] = processLabel().split('-');
  expect(mayStillRun(`${host!}-${boot!}-1-${pid!}-1`)).toBe(true);
});

it.each(['', 'a-b', `${processLabel()}-1`])('"%s" is no label', (text) =>
  expect([mayStillRun(text), hasEnded(text)]).toEqual([undefined, false]),
);
