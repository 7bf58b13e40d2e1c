// The files of `etcdkeep backup`, in the hands of what OpenShift's scripts call: etcdctl or etcdutl of
// the server's version, tar, and ls. Source of the command lines: cluster-etcd-operator,
// bindata/etcd/cluster-backup.sh, cluster-restore.sh and restore-pod.yaml.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeRecord } from '../../src/record/record.ts';
import type { BackupRecord } from '../../src/record/schema.ts';
import { runCli } from '../cli/run.ts';
import { hostForSuite } from '../cli/scene.ts';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { STATIC_PODS } from '../fixtures/openshift-pods.ts';
import { type CommandResult, runCommand } from '../servers/command.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { describeEachVersion, etcdForSuite } from '../servers/for-vitest.ts';
import { bootRestored, type Contents, contentsOf } from './members.ts';
import { DIGEST_BYTES } from './samples.ts';
import { printedStatus, toolsOf } from './tools.ts';

describeEachVersion('a backup', (version) => {
  const etcd = etcdForSuite({ version, tls: 'mutual' });
  const host = hostForSuite(etcd);

  let scratch: string;
  let directory: string;
  let savedByEtcdctl: string;
  let outcome: CommandResult;
  let record: BackupRecord;
  let live: Contents;
  const archive = (): string => join(directory, record.resources.file);
  const snapshot = (): string => join(directory, record.snapshot.file);

  // Two backups, with a write and a rollout between them; the second one is looked at.
  beforeAll(async () => {
    scratch = temporaryDirectory();
    directory = join(scratch, 'backup');
    savedByEtcdctl = join(scratch, 'etcdctl.db');
    const back = () => runCli(['backup', `--root=${host().root}`, directory]);
    await loadKubernetes(etcd().gateway, { objects: 600, operations: 16 });
    expect(await back()).toMatchObject({ code: 0 });
    await etcd().gateway.put('/second', 'backup');
    await host().rollOut('kube-apiserver');
    outcome = await back();
    expect(outcome).toMatchObject({ code: 0 });
    const save = await etcd().member.etcdctl(['snapshot', 'save', savedByEtcdctl]);
    expect(save).toMatchObject({ code: 0 });
    live = await contentsOf(etcd().member);
    const name = (await readdir(directory)).filter((file) => file.endsWith('.json')).sort()[1]!;
    record = decodeRecord(await readFile(join(directory, name), 'utf8'), name);
  });
  afterAll(() => removeTemporaryDirectory(scratch));

  it.for(toolsOf(version))("prints $program's own line of status", async (tool) => {
    const line = await printedStatus(tool, snapshot());
    expect(line).toMatch(/^\{.*\}\n$/);
    expect(outcome.stdout).toContain(`\n${line}`);
  });

  it('has the file that etcdctl saves, page for page but for the metas and the root', async () => {
    const ours = await readFile(snapshot());
    const theirs = await readFile(savedByEtcdctl);
    expect(ours.length).toBe(theirs.length);
    // An idle member commits before it sends a snapshot, and since 3.5 such a commit writes the
    // consistent index anew: the root page, which holds it, moves to a page that was free.
    const moving = [0, 1, rootPage(ours), rootPage(theirs)];
    expect(differingPages(ours, theirs).filter((page) => !moving.includes(page))).toEqual([]);
    for (const bytes of [ours, theirs]) {
      const database = bytes.subarray(0, -DIGEST_BYTES);
      const digest = createHash('sha256').update(database).digest();
      expect(digest.equals(bytes.subarray(-DIGEST_BYTES))).toBe(true);
    }
  });

  it('has an archive of the four trees and nothing else', async () => {
    const names = await linesOf('tar', ['-tzf', archive()]);
    const trees = new Set(names.map((name) => name.split('/').slice(0, 2).join('/')));
    expect([...trees].sort()).toEqual(treesOf(host().revisions).sort());
  });

  it('has the archive that tar makes: every entry, its mode, owner, size and time', async () => {
    const byTar = join(scratch, 'by-tar.tar.gz');
    const etc = host().path('etc/kubernetes');
    await linesOf('tar', ['-cpzf', byTar, '-C', etc, ...treesOf(host().revisions)]);
    const entries = async (file: string): Promise<string[]> =>
      (await linesOf('tar', ['-tvzf', file, '--full-time', '--numeric-owner'])).sort();
    expect(await entries(archive())).toEqual(await entries(byTar));
    // And every content.
    expect(await linesOf('tar', ['-dzf', archive(), '-C', etc])).toEqual([]);
  });

  it('is picked by cluster-restore.sh, among two backups and their records', async () => {
    expect(await readdir(directory)).toHaveLength(6);
    expect(await pick(directory, 'snapshot*.db')).toBe(snapshot());
    expect(await pick(directory, 'static_kuberesources*.tar.gz')).toBe(archive());
  });

  it('is restored as cluster-restore.sh and its pod do it', async () => {
    const target = join(scratch, 'etc-kubernetes');
    await mkdir(target);
    const tar = await pick(directory, 'static_kuberesources*.tar.gz');
    await linesOf('tar', ['-C', target, '-xzf', tar, 'static-pod-resources']);
    const trees = await readdir(join(target, 'static-pod-resources'));
    expect(trees.sort()).toEqual(
      treesOf(host().revisions)
        .map((tree) => basename(tree))
        .sort(),
    );

    const bump = ['--bump-revision=1000000000', '--mark-compacted'];
    const flags = version.startsWith('3.4.') ? [] : bump;
    const picked = await pick(directory, 'snapshot*.db');
    await using restored = await bootRestored(version, picked, { flags });
    const { keys, revision } = await contentsOf(restored.member);
    expect({ keys, revision }).toEqual({
      keys: live.keys,
      revision: live.revision + (flags === bump ? 1_000_000_000 : 0),
    });
    expect((await restored.member.gateway.get('/second'))?.value.toString()).toBe('backup');
  });
});

/** What cluster-backup.sh hands to tar: the live revision of each static pod. */
function treesOf(revisions: Readonly<Record<string, number>>): string[] {
  return STATIC_PODS.map((pod) => `static-pod-resources/${pod}-pod-${revisions[pod]!}`);
}

/** The page that the first meta names as the root of all buckets (bbolt, internal/common/meta.go). */
function rootPage(database: Buffer): number {
  return Number(database.readBigUInt64LE(32));
}

/** The pages in which two databases of one page size differ. */
function differingPages(left: Buffer, right: Buffer): number[] {
  const pageSize = left.readUInt32LE(24);
  const pages = (left.length - DIGEST_BYTES) / pageSize;
  expect(Number.isInteger(pages)).toBe(true);
  const page = (bytes: Buffer, number: number): Buffer =>
    bytes.subarray(number * pageSize, (number + 1) * pageSize);
  return Array.from({ length: pages }, (_, number) => number).filter(
    (number) => !page(left, number).equals(page(right, number)),
  );
}

/** The file that cluster-restore.sh takes. */
async function pick(directory: string, pattern: string): Promise<string> {
  const [file] = await linesOf('bash', ['-c', `ls -vd "$1"/${pattern} | tail -1`, '-', directory]);
  return file!;
}

/** Runs a program that must succeed. */
async function linesOf(file: string, args: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await runCommand(file, args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.split('\n').filter((line) => line !== '');
}
