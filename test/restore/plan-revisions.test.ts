// How far revisions are raised: above everything that anybody can have seen of this cluster.
import { cp, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { expectFailure } from '../cli/failure.ts';
import { directoryForTest } from '../cli/scene.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { openshiftScene, plan, VERSION } from './plan-scene.ts';

const MARGIN = 1_000_000_000n;

describeWithEtcd(VERSION, 'revisions, after a restore', () => {
  it('go on above the running etcd, and what is lost is counted', async () => {
    const scene = await openshiftScene();
    for (let index = 0; index < 20; index += 1) await scene.etcd.gateway.put('/k', `${index}`);
    const revision = await scene.etcd.gateway.revision();
    const { document, check } = await plan(scene);
    const { bump, backup } = document.plan;
    expect(BigInt(bump.to)).toBe(revision + MARGIN);
    expect(BigInt(bump.by)).toBe(BigInt(bump.to) - BigInt(backup.revision));
    expect(document.lost).toMatchObject({ revisions: '20' });
    expect(check('revisions-rise').result).toBe('passed');
  });

  it('go on above the data of an etcd that is stopped, and above all that its log can hold', async () => {
    const scene = await openshiftScene();
    await scene.etcd.gateway.put('/k', 'x');
    const revision = await scene.etcd.gateway.revision();
    await scene.etcd.member.kill();
    const wal = await stat(
      scene.host.path('var/lib/etcd/member/wal/0000000000000000-0000000000000000.wal'),
    );
    const { document } = await plan(scene);
    const inData = document.plan.bump.above.find(
      ({ whose }) => whose === 'the data in /var/lib/etcd',
    )!;
    expect(BigInt(inData.revision)).toBeGreaterThanOrEqual(revision);
    // 32 bytes is the least that an entry takes: nothing that is in the log can be above it.
    expect(BigInt(inData.revision)).toBeLessThanOrEqual(revision + BigInt(wal.size / 32));
    expect(BigInt(document.plan.bump.to)).toBe(BigInt(inData.revision) + MARGIN);
  });

  it("go on above what earlier restores have kept, the vendor's script too, and OpenShift's own figure", async () => {
    const scene = await openshiftScene();
    const { host, etcd } = scene;
    const raised = await raisedData(scene, 5_000_000_000n);
    const ours = host.path('var/lib/etcd/member-before-20260101-000000');
    await cp(raised, ours, { recursive: true });
    const kept = await plan(scene);
    expect(kept.document.plan.bump.above).toContainEqual({
      revision: expect.stringMatching(/^500\d{7}$/) as string,
      whose: '/var/lib/etcd/member-before-20260101-000000',
    });
    expect(BigInt(kept.document.plan.bump.to)).toBeGreaterThan(6_000_000_000n);

    await rm(ours, { recursive: true });
    await mkdir(host.path('var/lib/etcd-backup'));
    await rename(raised, host.path('var/lib/etcd-backup/member'));
    const vendor = await plan(scene);
    expect(BigInt(vendor.document.plan.bump.to)).toBeGreaterThan(6_000_000_000n);

    const figure = { clusterId: 1, raftIndex: {}, maxRaftIndex: 10_000_000_000 };
    await writeFile(host.path('var/lib/etcd/revision.json'), JSON.stringify(figure));
    const { document } = await plan(scene);
    const own = BigInt(document.plan.backup.revision);
    expect(document.plan.bump.above).toContainEqual({
      revision: `${own + 12_000_000_000n}`,
      whose: "OpenShift's own figure",
    });
    expect(BigInt(document.plan.bump.to)).toBe(own + 12_000_000_000n + MARGIN);
    await etcd.member.kill();
  });

  it('go on above where an earlier restore raised them, whose data are lost as well', async () => {
    const scene = await openshiftScene();
    const { document: first } = await plan(scene);
    await scene.etcd.member.kill();
    await rm(scene.host.path('var/lib/etcd/member'), { recursive: true });
    const restored = async (stamp: string, to: bigint, ...steps: string[]): Promise<void> => {
      const directory = scene.host.path(`var/lib/etcdkeep/restores/${stamp}`);
      await mkdir(directory, { recursive: true });
      const earlier = { ...first.plan, stamp, bump: { ...first.plan.bump, to: `${to}` } };
      await writeFile(join(directory, 'plan.json'), JSON.stringify(earlier));
      const lines = steps.map((line) => {
        const [step, state] = line.split(' ');
        return `${JSON.stringify({ at: '2026-01-01T00:00:00.000Z', step, state })}\n`;
      });
      await writeFile(join(directory, 'journal'), lines.join(''));
    };
    await restored('20260101-000000', 7_000_000_000n, 'start begun', 'start done', 'serve done');
    await restored('20260102-000000', 3_000_000_000n, 'start begun', 'start done', 'serve done');
    // Nobody has seen what never was started.
    await restored(
      '20260103-000000',
      9_000_000_000n,
      'build begun',
      'rollback begun',
      'rollback done',
    );
    const { document } = await plan(scene);
    expect(document.plan.bump.above).toContainEqual({
      revision: '7000000000',
      whose: 'the restore 20260101-000000',
    });
    expect(document.plan.bump.to).toBe('8000000000');

    await writeFile(
      scene.host.path('var/lib/etcdkeep/restores/20260101-000000/journal'),
      'no journal\n',
    );
    expect((await plan(scene)).check('revisions-rise')).toEqual({
      result: 'unknown',
      evidence: expect.stringMatching(/; earlier restores: cannot go by the journal: /) as string,
    });
  });

  it('that would leave no room in 64 bits refuse; what cannot be read is said', async () => {
    const scene = await openshiftScene();
    const kept = scene.host.path('var/lib/etcd/member-before-20260101-000000');
    await mkdir(join(kept, 'snap'), { recursive: true });
    await writeFile(join(kept, 'snap/db'), 'no database');
    const unread = await plan(scene);
    expect(unread.code, unread.stderr).toBe(0);
    expect(unread.check('revisions-rise')).toEqual({
      result: 'unknown',
      evidence: expect.stringMatching(/member-before-20260101-000000 cannot be read: /) as string,
    });
    await rm(kept, { recursive: true });
    await rename(await raisedData(scene, 2n ** 62n), kept);
    const outcome = await plan(scene);
    expect(expectFailure(outcome, 'check-failed', 3).message).toMatch(
      /^check "revisions-rise" failed: .* there is no room for more restores: 64 bits end at 9223372036854775807$/,
    );
  });

  it('are planned for a stamp of which nothing is there yet', async () => {
    const scene = await openshiftScene();
    const start = Date.now();
    for (let second = -1; second < 40; second += 1) {
      const moment = new Date(start + second * 1000).toISOString().slice(0, 19);
      const stamp = moment.replaceAll(/[-:]/g, '').replace('T', '-');
      await mkdir(scene.host.path(`var/lib/etcd/member-before-${stamp}`));
    }
    const { document } = await plan(scene);
    const [, second] = /(\d\d)$/.exec(document.plan.stamp)!;
    expect(Number(second)).toBe((new Date(start).getUTCSeconds() + 40) % 60);
  });
});

/** The data of a member whose revisions were raised by so much: `member` of what etcdutl restores. */
async function raisedData(
  { backup, etcd }: Awaited<ReturnType<typeof openshiftScene>>,
  by: bigint,
) {
  const snapshot = (await readdir(backup)).find((name) => name.endsWith('.db'))!;
  const directory = join(directoryForTest(), 'data');
  const { code, stderr } = await etcd.member.etcdutl([
    ...['snapshot', 'restore', join(backup, snapshot), `--data-dir=${directory}`],
    ...['--mark-compacted', `--bump-revision=${by}`],
  ]);
  expect(code, stderr).toBe(0);
  return join(directory, 'member');
}
