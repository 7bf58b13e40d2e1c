// The screen at the top of the README: its commands are run, and each line of it is one that they print, but for figures and
// places.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCli } from '../cli/run.ts';
import { directoryForTest } from '../cli/scene.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { createScene, type Scene, VERSION } from './host-scene.ts';

const SHOWN_DIRECTORY = '/home/core/assets/backup';

describeWithEtcd(VERSION, 'the screen in the README', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await createScene('openshift');
  });
  afterAll(() => scene.stop());

  it('shows what is printed', async () => {
    const text = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    const screen = /^```\n(\$ sudo etcdkeep backup .*?)^```/ms.exec(text)![1]!;
    const directory = directoryForTest();
    const { etcd } = await binariesOf(VERSION);
    const more: Readonly<Record<string, readonly string[]>> = {
      backup: [`--root=${scene.root}`],
      drill: [`--etcd=${etcd}`],
      restore: [`--root=${scene.root}`, '--yes'],
    };
    const parts = screen.split(/^\$ /m).slice(1);
    expect(parts).toHaveLength(4);
    for (const part of parts) {
      const [line = '', ...shown] = part.trimEnd().split('\n');
      const [command = '', place] = line
        .replace(/^sudo /, '')
        .split(' ')
        .slice(1);
      expect(place).toBe(SHOWN_DIRECTORY);
      const { code, stdout, stderr } = await runCli([command, directory, ...(more[command] ?? [])]);
      expect(code, stderr).toBe(0);
      const printed = `${stdout}\n${stderr}`.split('\n').map(shapeOf);
      for (const one of shown) expect(printed, one).toContain(shapeOf(one));
    }
  });
});

/** A line without what differs from one host to another: figures, places, and how many there are of something. */
function shapeOf(line: string): string {
  return line
    .replace(/(https?:\/\/|\/)[\w./:-]+/g, '<place>')
    .replace(/ip-[\w.-]+/g, '<host>')
    .replace(/,? ?\d[\d,.:_-]*( [kMGT]?B\b)?/g, ' <figure>')
    .replace(/one of <figure> members?|the only member|one of {2}<figure> members/g, '<members>')
    .replace(/\b(second|minute|hour|revision|lease|warning)s?\b/g, '$1')
    .replace(/(second|minute|hour)/g, '<unit>')
    .trimEnd();
}
