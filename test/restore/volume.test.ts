// File systems: data on a mount of their own, a disk that is full, one that is read-only, and resources that are kept on
// another one than they are used on.
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { PlacedResource } from '../../src/backup/restore/plan.ts';
import { expectFailure } from '../cli/failure.ts';
import { listingOf } from '../cli/untouched.ts';
import {
  loopVolumeForTest,
  loopVolumesMissing,
  type Volume,
  volumeForTest,
  volumesMissing,
} from '../cli/volume.ts';
import { runCommand } from '../servers/command.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { createScene, dataOf, type Scene, VERSION } from './host-scene.ts';

const noVolumes = volumesMissing();
const noLoop = loopVolumesMissing();

async function sceneForTest(): Promise<Scene> {
  const scene = await createScene('openshift');
  onTestFinished(() => scene.stop());
  return scene;
}

/** From now on a directory of the host is a file system of its own. */
async function moveToVolume(scene: Scene, hostPath: string, limits: string): Promise<Volume> {
  return await moveTo(scene, hostPath, await volumeForTest(limits));
}

async function moveTo(scene: Scene, hostPath: string, volume: Volume): Promise<Volume> {
  await chmod(volume.path, 0o700);
  const path = scene.path(hostPath);
  await mkdir(path, { recursive: true });
  const { code } = await runCommand('cp', ['-a', `${path}/.`, volume.path]);
  if (code !== 0) throw new Error('cannot copy it');
  await rm(path, { recursive: true });
  await symlink(volume.path, path);
  return volume;
}

describe.skipIf(noVolumes !== undefined)(
  `file systems${noVolumes === undefined ? '' : ` (not run: ${noVolumes})`}`,
  () => {
    describeWithEtcd(VERSION, 'a restore', () => {
      const staysInside = async (make: () => Promise<Volume>): Promise<void> => {
        const scene = await sceneForTest();
        await scene.pods.stop();
        const volume = await make();
        const others = await readdir(volume.path);
        await moveTo(scene, '/var/lib/etcd', volume);
        scene.watchManifests();
        await scene.waitUntilHealthy();
        const plan = await scene.plan('20261123-170200');
        expect(await scene.carryOut(plan)).toMatchObject({ code: 0, stderr: '' });
        expect(await dataOf(scene.gateway)).toBe('backup');
        expect((await scene.dataNames()).sort()).toEqual([
          ...others,
          'member',
          'member-before-20261123-170200',
        ]);
      };

      it('of data on a mount of their own stays inside of it', () =>
        staysInside(() => volumeForTest('size=400m')));

      it.skipIf(noLoop !== undefined)(
        `of data on a loop device stays inside of it${noLoop === undefined ? '' : ` (not run: ${noLoop})`}`,
        () => staysInside(() => loopVolumeForTest('400M')),
      );

      it('onto a disk that is full changes nothing', async () => {
        const scene = await sceneForTest();
        await scene.pods.stop();
        const volume = await moveToVolume(scene, '/var/lib/etcd', 'size=260m');
        scene.watchManifests();
        await scene.waitUntilHealthy();
        const filler = join(volume.path, 'filler');
        await writeFile(filler, Buffer.alloc(300 << 20)).catch(() => undefined);
        const names = await scene.dataNames();
        const failure = expectFailure(
          await scene.carryOut(await scene.plan('20261123-170200')),
          'disk-full',
          1,
        );
        expect(failure.aftermath).toBe('Nothing was changed.');
        expect(await scene.dataNames()).toEqual(names);
        await rm(filler);
        await scene.waitUntilHealthy();
        expect(await dataOf(scene.gateway)).toBe('before');
      });

      it('onto one that is read-only changes nothing', async () => {
        const scene = await sceneForTest();
        await scene.pods.stop();
        const volume = await moveToVolume(scene, '/var/lib/etcd', 'size=400m');
        const before = await listingOf(volume.path);
        volume.makeReadOnly();
        const manifest = await readFile(scene.manifest, 'utf8');
        const failure = expectFailure(
          await scene.carryOut(await scene.plan('20261123-170200')),
          'target-unwritable',
          1,
        );
        expect(failure.message).toMatch(/the file system is read-only$/);
        expect(failure.aftermath).toBe('Nothing was changed.');
        expect(await listingOf(volume.path)).toEqual(before);
        expect(await readFile(scene.manifest, 'utf8')).toBe(manifest);
      });

      it('keeps resources on another file system, and puts them back from there', async () => {
        const scene = await sceneForTest();
        await moveToVolume(scene, '/var/lib/etcdkeep', 'size=64m');
        const path = '/etc/kubernetes/static-pod-resources/kube-scheduler-pod-6';
        const file = scene.path(`${path}/kube-scheduler-pod.yaml`);
        const rightOne = await readFile(file, 'utf8');
        await writeFile(file, 'damaged');
        await chmod(file, 0o640);
        const resources: PlacedResource[] = [
          {
            path,
            kind: 'directory',
            member: 'static-pod-resources/kube-scheduler-pod-6',
            state: 'differs',
            action: 'replace',
          },
        ];
        const before = await listingOf(scene.path(path));
        const plan = await scene.plan('20261123-170200', { resources });
        const at = { step: `link ${scene.manifest}`, signal: 'SIGKILL' as const };
        expect(await scene.carryOut(plan, { at })).toMatchObject({ code: 137 });
        expect(await readFile(file, 'utf8')).toBe(rightOne);
        expect(await scene.rollBack()).toMatchObject({ code: 0, stderr: '' });
        await scene.waitUntilHealthy();
        const withoutInodes = (listing: Record<string, string>): string =>
          JSON.stringify(listing).replace(/inode \d+, modified (\d+)\d{9}/g, '$1');
        expect(withoutInodes(await listingOf(scene.path(path)))).toBe(withoutInodes(before));
        expect(await dataOf(scene.gateway)).toBe('before');
        // And done whole, what is kept is whole as well.
        const second = await scene.plan('20261123-170201', { resources });
        expect(await scene.carryOut(second)).toMatchObject({ code: 0, stderr: '' });
        const kept = scene.path(`${second.keptResources}${path}`);
        expect(withoutInodes(await listingOf(kept))).toBe(withoutInodes(before));
      });
    });
  },
);
