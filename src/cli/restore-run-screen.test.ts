import { describe, expect, it } from 'vitest';
import type { RestoreEvent } from '../backup/restore/events.ts';
import type { RestorePlan } from '../backup/restore/plan.ts';
import type { Restored } from '../backup/restore/run.ts';
import { fakeWorld } from './context.fixture.ts';
import {
  restoredDocument,
  restoreTeller,
  showRestored,
  showRolledBack,
} from './restore-run-screen.ts';
import { type Screen, withScreen } from './screen.ts';

async function printed(
  draw: (screen: Screen) => void,
): Promise<{ stdout: string; stderr: string }> {
  const { context, stdout, stderr } = fakeWorld();
  await withScreen(context, { output: 'text', quiet: false }, (screen) => {
    draw(screen);
    return Promise.resolve();
  });
  return { stdout: stdout.text, stderr: stderr.text };
}

const PLAN = {
  stamp: '20261123-170200',
  member: { endpoint: 'https://10.0.1.2:2379' },
  etcd: { manifest: '/m/etcd-pod.yaml', source: '/m/etcd-pod.yaml' },
} as RestorePlan;
const KEPT = [
  { path: '/var/lib/etcd/member-before-20261123-170200', kind: 'data', bytes: 1_280_000_000 },
] as const;

describe('a restore on the screen', () => {
  it('tells what it does, and what is in the way', async () => {
    const events: RestoreEvent[] = [
      { kind: 'step-done', step: 'build' },
      { kind: 'waiting-for-stop', elapsedMs: 3000, holders: ['process 7 (etcd): /x is open'] },
      { kind: 'waiting-for-stop', elapsedMs: 4000, holders: ['process 7 (etcd): /x is open'] },
      { kind: 'stop-proven', unknown: ['containers: crictl cannot be asked'] },
      { kind: 'manifest-written-back', path: '/m/etcd-pod.yaml', keptAs: '/s/a' },
      { kind: 'script-output', line: 'SNAPSHOT RESTORE COMPLETED' },
    ];
    const { stdout, stderr } = await printed((screen) => events.forEach(restoreTeller(screen)));
    expect(stderr.split('\n')).toEqual([
      'build       the new data directory and the static resources lie ready',
      'waiting     0:03  process 7 (etcd): /x is open',
      'unknown     containers: crictl cannot be asked',
      'warning     /m/etcd-pod.yaml was written back; it is taken away again and kept as /s/a',
      '',
    ]);
    expect(stdout).toBe('SNAPSHOT RESTORE COMPLETED\n');
  });

  const restored: Restored = {
    plan: PLAN,
    served: { version: '3.6.16', revision: 1_000_431_077n, keys: 8403n, compared: 50 },
    kept: KEPT,
  };

  it('ends with what is proven, what is kept, and what is left to do', async () => {
    const { stdout, stderr } = await printed((screen) => showRestored(screen, restored));
    expect(stdout).toBe('etcd 3.6.16 serves at https://10.0.1.2:2379, revision 1000431077\n');
    expect(stderr).toMatch(
      /^proven +8,403 keys listed; of 50 a list and single reads agree with the snapshot$/m,
    );
    expect(stderr).toMatch(
      /^kept +\/var\/lib\/etcd\/member-before-20261123-170200 {2}data of before, 1.28 GB$/m,
    );
    expect(restoredDocument(restored)).toMatchObject({ revision: '1000431077', keys: 8403 });
  });

  it('undone', async () => {
    const { stdout } = await printed((screen) => showRolledBack(screen, PLAN));
    expect(stdout).toBe(
      'the restore 20261123-170200 is undone: data, static resources and manifest are those of before\n',
    );
  });
});
