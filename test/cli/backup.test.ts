// A backup of a host that is well: the lines of the documented procedure, and three files that are
// right when they are looked at by others: etcd's own tools, GNU tar, node:crypto.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { READ_KEY, WRITE_KEY } from '../fixtures/encryption.ts';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { STATIC_PODS } from '../fixtures/openshift-pods.ts';
import { type CommandResult, runCommand } from '../servers/command.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { runCli } from './run.ts';
import { directoryForTest, hostForSuite } from './scene.ts';
import { listingOf } from './untouched.ts';

const VERSION = '3.6.16';
/** Half an hour off everyone else: a stamp in UTC is noticed at any time of the day. */
const TIME_ZONE = 'America/St_Johns';
const TRAILER_BYTES = 32;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

interface Files {
  readonly stamp: string;
  readonly snapshot: string;
  readonly resources: string;
  readonly record: string;
}

/** The paths of the only backup in a directory. */
async function filesIn(directory: string): Promise<Files> {
  const names = await readdir(directory);
  const stamp = /^backup_(.*)\.json$/.exec(names.sort()[0]!)![1]!;
  const [record, snapshot, resources] = names;
  expect(names).toEqual([
    `backup_${stamp}.json`,
    `snapshot_${stamp}.db`,
    `static_kuberesources_${stamp}.tar.gz`,
  ]);
  const path = (name: string | undefined): string => join(directory, name!);
  return { stamp, snapshot: path(snapshot), resources: path(resources), record: path(record) };
}

describeWithEtcd(VERSION, 'a backup', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });
  const host = hostForSuite(etcd);
  const directory = temporaryDirectory();
  let outcome: CommandResult;
  let files: Files;
  let record: Record<string, Record<string, unknown>>;
  beforeAll(async () => {
    await loadKubernetes(etcd().gateway, { objects: 300, operations: 16 });
    outcome = await runCli(['backup', '--root', host().root, directory], {
      env: { TZ: TIME_ZONE },
    });
    expect(outcome.code, outcome.stderr).toBe(0);
    files = await filesIn(directory);
    record = JSON.parse(await readFile(files.record, 'utf8')) as typeof record;
  });

  it('prints the lines of the documented procedure, in its order, and nothing else', async () => {
    const { stdout: status } = await etcd().member.etcdutl([
      ...['snapshot', 'status', files.snapshot, '-w', 'json'],
    ]);
    const path = '/etc/kubernetes/static-pod-resources';
    expect(outcome.stdout).toBe(
      [
        `found latest kube-apiserver-pod: ${path}/kube-apiserver-pod-14`,
        `found latest kube-controller-manager-pod: ${path}/kube-controller-manager-pod-9`,
        `found latest kube-scheduler-pod: ${path}/kube-scheduler-pod-6`,
        `found latest etcd-pod: ${path}/etcd-pod-7`,
        'etcdkeep version: 0.1.0',
        'etcd version: 3.6.16',
        `Snapshot saved at ${files.snapshot}`,
        'Server version 3.6.0',
        status.trim(),
        `snapshot db and kube resources are successfully saved to ${directory}`,
        '',
      ].join('\n'),
    );
  });

  it('tells the rest on stderr, in plain text where it is no terminal', () => {
    expect(outcome.stderr).toMatch(/^host {8}ip-10-0-1-2\.ec2\.internal · OpenShift layout$/m);
    // The fixture's certificates are young, and end soon; its keys lie beside the snapshot.
    expect(outcome.stderr).toMatch(/^checks {6}12 passed, 6 warnings\n {2}! {3}certificates /m);
    expect(outcome.stderr).toMatch(/^member {6}etcd-0 · etcd 3\.6\.16 at https:\/\/127\..*:2379$/m);
    expect(outcome.stderr).toMatch(/^proven {6}digest equal to the server's; .* pages sound; /m);
    expect(outcome.stderr).toMatch(
      /^encryption {2}on \(aescbc, keys "2", "3"\): static_kuberesources_.*\.tar\.gz$/m,
    );
    expect(outcome.stderr).toMatch(
      /^cluster {5}this is its backup: none of another host is needed/m,
    );
    expect(outcome.stderr).not.toMatch(/\x1b|\r|^warning/m);
  });

  it('stamps all files with the local time of its start, for their owner alone', async () => {
    const started = new Date(record['started'] as unknown as string);
    const local = started.toLocaleString('sv-SE', { timeZone: TIME_ZONE });
    expect(files.stamp).toBe(local.replace(' ', '_').replaceAll(':', ''));
    for (const path of [files.snapshot, files.resources, files.record]) {
      expect((await stat(path)).mode & 0o7777).toBe(0o600);
    }
  });

  it("has the member's bytes: the database, and its SHA-256 behind it", async () => {
    const bytes = await readFile(files.snapshot);
    expect(bytes.length % 512).toBe(TRAILER_BYTES);
    const trailer = bytes.subarray(-TRAILER_BYTES).toString('hex');
    expect(sha256(bytes.subarray(0, -TRAILER_BYTES))).toBe(trailer);
    expect(record['snapshot']).toMatchObject({
      bytes: bytes.length,
      sha256: sha256(bytes),
      trailer,
    });
  });

  it("records what etcd's own tools say of the member and the snapshot", async () => {
    const { stdout } = await etcd().member.etcdctl(['endpoint', 'status', '-w', 'fields']);
    const field = (name: string): bigint =>
      BigInt(new RegExp(`^"${name}" : (\\d+)$`, 'm').exec(stdout)![1]!);
    const { member, cluster, snapshot } = record as Record<string, Record<string, string>>;
    expect(cluster).toEqual({ id: field('ClusterID').toString(16) });
    expect(member).toMatchObject({
      id: field('MemberID').toString(16),
      name: 'etcd-0',
      endpoint: etcd().endpoint,
      version: VERSION,
      raftTerm: `${field('RaftTerm')}`,
    });
    // A revision is a raft entry, and there are others.
    expect(BigInt(member!['raftIndex']!)).toBeGreaterThan(field('Revision'));
    expect(BigInt(member!['raftIndex']!)).toBeLessThanOrEqual(field('RaftIndex'));
    const keys = (await etcd().gateway.list('')).length;
    expect(snapshot).toMatchObject({
      revision: `${field('Revision')}`,
      keys,
      storageVersion: '3.6.0',
    });
    expect(BigInt(snapshot!['compactRevision']!)).toBeGreaterThan(0n);
  });

  it('records the host: node, pods, and the keys of its encryption by name', () => {
    expect(record['host']).toEqual({ name: 'ip-10-0-1-2.ec2.internal', layout: 'openshift' });
    expect(record['tool']).toBe('etcdkeep 0.1.0');
    const pods = Object.entries(host().revisions).map(([pod, revision]) => ({
      name: `${pod}-pod`,
      revision,
      path: `/etc/kubernetes/static-pod-resources/${pod}-pod-${revision}`,
    }));
    expect(record['resources']!['pods']).toHaveLength(4);
    expect(record['resources']!['pods']).toEqual(expect.arrayContaining(pods));
    expect(record['resources']!['encryption']).toEqual({
      on: true,
      providers: ['aescbc'],
      keyNames: [READ_KEY.name, WRITE_KEY.name],
    });
  });

  it('says and records no secret of the host', async () => {
    const told = `${await readFile(files.record, 'utf8')}${outcome.stdout}${outcome.stderr}`;
    const secrets = [READ_KEY, WRITE_KEY].map(({ secret }) => secret.toString('base64'));
    const names = await readdir(host().path('etc/kubernetes'), { recursive: true });
    for (const name of names.filter((path) =>
      /\/secrets\/.*(key|token|encryption-config)$/.test(path),
    )) {
      const found = await stat(host().path('etc/kubernetes', name));
      if (!found.isFile()) continue;
      const text = await readFile(host().path('etc/kubernetes', name), 'utf8');
      // The lines of a PEM file without those that frame it, or the words of a token.
      secrets.push(...text.split(/[\s"]+/).filter((word) => word.length >= 32));
    }
    expect(secrets.length).toBeGreaterThan(20);
    expect(secrets.filter((secret) => told.includes(secret))).toEqual([]);
  });

  it('archives the live revision of each pod and nothing else, as tar -czf would', async () => {
    const { code, stdout } = await runCommand('tar', ['-tzf', files.resources]);
    expect(code).toBe(0);
    const names = stdout.trimEnd().split('\n');
    const trees = new Set(names.map((name) => name.split('/').slice(0, 2).join('/')));
    const live = STATIC_PODS.map(
      (pod) => `static-pod-resources/${pod}-pod-${host().revisions[pod]}`,
    );
    expect([...trees].sort()).toEqual(live.sort());
    // Directories and files, each once.
    expect(new Set(names).size).toBe(names.length);
  });

  it("GNU tar restores it to what is on the host, modes and all, and to the record's digests", async () => {
    const target = directoryForTest();
    const extracted = await runCommand('tar', ['-xpzf', files.resources, '-C', target]);
    expect(extracted).toEqual({ code: 0, stdout: '', stderr: '' });
    const members: unknown[] = [];
    const { root } = host();
    for (const name of await readdir(target, { recursive: true })) {
      const original = join(root, 'etc/kubernetes', name);
      const [mine, theirs] = [await stat(join(target, name)), await stat(original)];
      // The first directory is no entry of the archive, as it is none of tar's.
      if (name === 'static-pod-resources') continue;
      const traits = ({ mode, uid, gid, mtimeMs }: typeof mine): unknown[] => [
        ...[mode, uid, gid, Math.floor(mtimeMs / 1000)],
      ];
      expect([name, ...traits(mine)]).toEqual([name, ...traits(theirs)]);
      if (!mine.isFile()) continue;
      const bytes = await readFile(join(target, name));
      expect(bytes.equals(await readFile(original)), name).toBe(true);
      const mode = (mine.mode & 0o7777).toString(8).padStart(4, '0');
      members.push({ path: name, bytes: bytes.length, mode, sha256: sha256(bytes) });
    }
    const recorded = record['resources']!['members'] as unknown[];
    expect(recorded).toHaveLength(members.length);
    expect(recorded).toEqual(expect.arrayContaining(members));
    const archive = await readFile(files.resources);
    expect(record['resources']).toMatchObject({ bytes: archive.length, sha256: sha256(archive) });
  });

  it('after another keeps both, even within one second', async () => {
    const target = directoryForTest();
    const line = ['backup', '--root', host().root, target];
    expect(await runCli(line)).toMatchObject({ code: 0 });
    const first = await listingOf(target);
    expect(await runCli(line)).toMatchObject({ code: 0 });
    const both = await listingOf(target);
    expect(both).toMatchObject(first);
    expect(Object.keys(both)).toHaveLength(6);
  });

  it('makes the directory, and prints it as it was named', async () => {
    const parent = directoryForTest();
    const root = relative(parent, host().root);
    const outcome = await runCli(['backup', '--root', root, 'assets/backup'], { cwd: parent });
    expect(outcome).toMatchObject({ code: 0 });
    const { snapshot } = await filesIn(join(parent, 'assets/backup'));
    expect(outcome.stdout).toContain(`Snapshot saved at ${relative(parent, snapshot)}\n`);
    expect(outcome.stdout).toContain('saved to assets/backup\n');
  });

  it('says what --quiet leaves: the answer', async () => {
    const target = directoryForTest();
    const outcome = await runCli(['backup', '--quiet', '--root', host().root, target]);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(outcome.stdout.trimEnd().split('\n')).toHaveLength(10);
  });

  it('is one document with --output json', async () => {
    const target = directoryForTest();
    await mkdir(join(target, 'sub'));
    const line = ['backup', '--output', 'json', '--root', host().root, join(target, 'sub')];
    const { code, stdout } = await runCli(line);
    const { record: path } = await filesIn(join(target, 'sub'));
    expect(code).toBe(0);
    const written = JSON.parse(await readFile(path, 'utf8')) as object;
    expect(JSON.parse(stdout)).toEqual({ directory: join(target, 'sub'), ...written });
  });
});
