import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { backupFiles, stampOf, stampOfFile } from './stamp.ts';

describe('stampOf', () => {
  it.each([
    [new Date(2026, 10, 23, 14, 53, 1), '2026-11-23_145301'],
    [new Date(2026, 0, 2, 3, 4, 5, 999), '2026-01-02_030405'],
  ])('%s is %s', (moment, stamp) => expect(stampOf(moment)).toBe(stamp));

  it.each(['America/New_York', 'Asia/Kolkata'])('in %s it is what date(1) says', (zone) => {
    // Around a change of the clocks in New York.
    const seconds = [1_793_511_000, 1_793_514_600, 1_793_518_200];
    const env = { ...process.env, TZ: zone };
    const module = new URL('./stamp.ts', import.meta.url).href;
    const script = `import { stampOf } from '${module}';
      for (const second of [${seconds.join()}]) console.log(stampOf(new Date(second * 1000)));`;
    const ours = execFileSync(process.execPath, ['--input-type=module', '-e', script], { env });
    const theirs = seconds.map((second) =>
      execFileSync('date', ['-d', `@${second}`, '+%F_%H%M%S'], { env }),
    );
    expect(ours.toString()).toBe(theirs.join(''));
  });
});

describe('backupFiles', () => {
  it('as the documented procedure names them, and a record that its globs pass over', () =>
    expect(backupFiles('2026-11-23_145301')).toEqual({
      snapshot: 'snapshot_2026-11-23_145301.db',
      resources: 'static_kuberesources_2026-11-23_145301.tar.gz',
      record: 'backup_2026-11-23_145301.json',
    }));
});

describe('stampOfFile', () => {
  it.each([
    'snapshot_2026-11-23_145301.db',
    'snapshot_2026-11-23_145301__POSSIBLY_DIRTY__.db',
    'static_kuberesources_2026-11-23_145301.tar.gz',
    'backup_2026-11-23_145301.json',
  ])('%s is of that stamp', (name) => expect(stampOfFile(name)).toBe('2026-11-23_145301'));

  it.each([
    'snapshot.db',
    'snapshot_2026-11-23.db',
    'old_snapshot_2026-11-23_145301.db',
    'snapshot_2026-11-23_1453011.db',
  ])('%s is of none', (name) => expect(stampOfFile(name)).toBeUndefined());
});
