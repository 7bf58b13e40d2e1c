import { chown, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeArchive } from '../controlplane/archive.ts';
import { makeHost, temporaryDirectory } from '../controlplane/host.fixture.ts';
import { lookAtStaticResources } from '../controlplane/static-resources.ts';
import { summarizeEncryption } from '../kubernetes/encryption-config.ts';
import { addVerdict, decodeRecord, encodeRecord, readRecord } from './record.ts';
import { type BackupRecord, formatEtcdId, RECORD_SCHEMA_ID, type Verdict } from './schema.ts';

const DIGEST = '0123456789abcdef'.repeat(4);

const RECORD: BackupRecord = {
  schema: RECORD_SCHEMA_ID,
  stamp: '2026-11-23_145301',
  tool: 'etcdkeep 0.1.0',
  cluster: { id: 'cdf818194e3a8c32' },
  host: { name: 'ip-10-0-1-2', layout: 'openshift' },
  member: {
    id: '8e9e05c52164694d',
    name: 'ip-10-0-1-2',
    endpoint: 'https://10.0.1.2:2379',
    version: '3.6.16',
    raftTerm: '7',
    raftIndex: '18446744073709551615',
  },
  snapshot: {
    file: 'snapshot_2026-11-23_145301.db',
    bytes: 1_282_764_832,
    sha256: DIGEST,
    trailer: DIGEST,
    revision: '420740',
    compactRevision: '0',
    keys: 287_280,
  },
  resources: {
    file: 'static_kuberesources_2026-11-23_145301.tar.gz',
    bytes: 87_040,
    sha256: DIGEST,
    pods: [
      { name: 'etcd-pod', revision: 3, path: '/etc/kubernetes/static-pod-resources/etcd-pod-3' },
    ],
    members: [
      {
        path: 'static-pod-resources/etcd-pod-3/etcd-pod.yaml',
        bytes: 9,
        mode: '0600',
        sha256: DIGEST,
      },
    ],
    encryption: { on: true, providers: ['aescbc'], keyNames: ['7'] },
  },
  checks: [
    { name: 'space', severity: 'refuse', result: 'passed', evidence: '1.4 GB needed, 61 GB free' },
  ],
  skipped: [],
  started: '2026-11-23T14:53:01.123Z',
  finished: '2026-11-23T14:53:09+01:00',
  verdicts: [],
};

const decode = (text: string) => decodeRecord(text, '/backup.json');

/** The record with one field set: `set('member.id', 'x')`. */
function set(path: string, value: unknown): string {
  const names = path.split('.');
  const copy = structuredClone(RECORD) as unknown as Record<string, unknown>;
  let parent = copy;
  for (const name of names.slice(0, -1)) parent = parent[name] as Record<string, unknown>;
  parent[names.at(-1)!] = value;
  return JSON.stringify(copy);
}

describe('decodeRecord', () => {
  it('what was encoded comes back', () => expect(decode(encodeRecord(RECORD))).toEqual(RECORD));

  it.each(['newer', 'cluster.newer', 'resources.encryption.newer', 'checks.0.newer'])(
    'a field that is not known is ignored: %s',
    (path) => expect(decode(set(path, { of: 'tomorrow' }))).toEqual(RECORD),
  );

  it.each<[path: string, value: unknown]>([
    ['schema', 'etcdkeep.backup/v2'],
    ['stamp', '2026-11-23 14:53:01'],
    ['cluster.id', '0xcdf818194e3a8c32'],
    ['cluster.id', 'CDF818194E3A8C32'],
    ['cluster.id', '0cdf'],
    ['member.raftIndex', 7],
    ['member.raftTerm', '-1'],
    ['snapshot.revision', '0420740'],
    ['snapshot.bytes', 2 ** 53],
    ['snapshot.bytes', -1],
    ['snapshot.sha256', DIGEST.slice(1)],
    ['snapshot.file', '../snapshot.db'],
    ['snapshot.hashKV', 2 ** 32],
    ['resources', undefined],
    ['resources.members.0.mode', 384],
    ['checks.0.result', 'OK'],
    ['started', '2026-11-23 14:53:01'],
  ])('%s is %j: not a record', (path, value) => {
    const expected = {
      code: 'record-invalid',
      message: expect.stringContaining(`this is not a record of a backup: at ${path}: `) as string,
      position: { path: '/backup.json' },
    };
    expect(() => decode(set(path, value))).toThrow(expect.objectContaining(expected) as Error);
  });

  it.each(['', '{', '[]', 'null'])('%j: not a record', (text) => {
    expect(() => decode(text)).toThrow(/^this is not a record of a backup: /);
  });

  it('any record comes back', () => {
    const id = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(formatEtcdId);
    const decimal = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
    const sha256 = fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((digest) => Buffer.from(digest).toString('hex'));
    const bytes = fc.maxSafeNat();
    const text = fc.string({ unit: 'binary' });
    const moment = fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') })
      .map((d) => d.toISOString());
    const record = fc.record({
      schema: fc.constant(RECORD_SCHEMA_ID),
      stamp: fc.constant('2026-11-23_145301'),
      tool: text,
      cluster: fc.record(
        { id, name: text, version: text, platform: text },
        { requiredKeys: ['id'] },
      ),
      host: fc.record({ name: text, layout: text }),
      member: fc.record({
        id,
        name: text,
        endpoint: text,
        version: text,
        raftTerm: decimal,
        raftIndex: decimal,
      }),
      snapshot: fc.record(
        {
          file: fc.constant('s.db'),
          bytes,
          sha256,
          trailer: sha256,
          revision: decimal,
          compactRevision: decimal,
          keys: bytes,
          hashKV: fc.nat({ max: 0xffff_ffff }),
          storageVersion: text,
        },
        {
          requiredKeys: [
            'file',
            'bytes',
            'sha256',
            'trailer',
            'revision',
            'compactRevision',
            'keys',
          ],
        },
      ),
      resources: fc.record({
        file: fc.constant('r.tar.gz'),
        bytes,
        sha256,
        pods: fc.array(fc.record({ name: text, revision: bytes, path: text })),
        members: fc.array(
          fc.record({ path: text, bytes, mode: fc.constantFrom('0600', '4755'), sha256 }),
        ),
        encryption: fc.record({
          on: fc.boolean(),
          providers: fc.array(text),
          keyNames: fc.array(text),
        }),
      }),
      checks: fc.array(
        fc.record({
          name: text,
          severity: fc.constantFrom('refuse' as const, 'warn' as const),
          result: fc.constantFrom('passed' as const, 'failed' as const, 'unknown' as const),
          evidence: text,
        }),
      ),
      skipped: fc.array(fc.record({ name: text, reason: text })),
      started: moment,
      finished: moment,
      verdicts: fc.array(
        fc.record({
          at: moment,
          kind: text,
          result: fc.constantFrom('good' as const, 'bad' as const),
          tool: text,
          evidence: text,
        }),
      ),
    });
    fc.assert(
      fc.property(record, (written) => {
        expect(decode(encodeRecord(written))).toEqual(written);
      }),
    );
  });
});

const VERDICT: Verdict = {
  at: '2026-11-23T16:00:00Z',
  kind: 'verify',
  result: 'good',
  tool: 'etcdkeep 0.1.0',
  evidence: 'all digests',
};

describe('addVerdict', () => {
  async function recordFile(text = encodeRecord(RECORD)) {
    const directory = await temporaryDirectory();
    const path = join(directory, 'backup_2026-11-23_145301.json');
    await writeFile(path, text, { mode: 0o600 });
    return { directory, path };
  }

  it('behind those that are there, readable by its owner alone, with nothing beside it', async () => {
    const { directory, path } = await recordFile();
    await addVerdict(path, VERDICT);
    await addVerdict(path, { ...VERDICT, result: 'bad' });
    expect((await readRecord(path)).verdicts).toEqual([VERDICT, { ...VERDICT, result: 'bad' }]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['backup_2026-11-23_145301.json']);
  });

  it('what only a later version knows is kept', async () => {
    const later = { ...RECORD, site: 'north', member: { ...RECORD.member, zone: 'a' } };
    const { path } = await recordFile(JSON.stringify(later));
    await addVerdict(path, VERDICT);
    const judged = { ...later, verdicts: [VERDICT] };
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(judged);
  });

  it.runIf(process.geteuid?.() === 0)('it stays its owner’s where root judges', async () => {
    const { path } = await recordFile();
    await chown(path, 65534, 65534);
    await addVerdict(path, VERDICT);
    expect(await stat(path)).toMatchObject({ uid: 65534, gid: 65534 });
  });

  it('what is no record is left as it is', async () => {
    const { path } = await recordFile('{}');
    await expect(addVerdict(path, VERDICT)).rejects.toMatchObject({ code: 'record-invalid' });
    expect(await readFile(path, 'utf8')).toBe('{}');
  });
});

describe('encodeRecord', () => {
  it('nothing gets into it that the schema does not name', () => {
    const careless = { ...RECORD, member: { ...RECORD.member, password: 'hunter2' } };
    expect(encodeRecord(careless)).not.toContain('hunter2');
  });

  it('of a host full of secrets, it holds none', async () => {
    const { host, secrets } = await makeHost();
    const target = await temporaryDirectory();
    const { pods, encryption, entries } = await lookAtStaticResources(host);
    const file = 'static_kuberesources_2026-11-23_145301.tar.gz';
    const signal = new AbortController().signal;
    const archive = await writeArchive(host, entries, join(target, file), signal);
    const resources = {
      file,
      ...archive,
      members: [...archive.members],
      pods: [...pods],
      encryption: summarizeEncryption(encryption),
    };
    const text = encodeRecord({ ...RECORD, resources });
    expect(text).toContain('secrets/encryption-config/encryption-config');
    expect(secrets.length).toBeGreaterThan(5);
    for (const secret of secrets) {
      const bytes = Buffer.from(secret, 'base64');
      for (const form of [secret, bytes.toString('hex'), Buffer.from(secret).toString('base64')]) {
        expect(text).not.toContain(form);
      }
    }
  });
});

describe('readRecord', () => {
  it('not there', async () => {
    const path = join(await temporaryDirectory(), 'backup.json');
    await expect(readRecord(path)).rejects.toMatchObject({
      code: 'file-failed',
      position: { path },
    });
  });

  it('an empty file, as a crash can leave it where there are no hard links', async () => {
    const path = join(await temporaryDirectory(), 'backup.json');
    await writeFile(path, '');
    await expect(readRecord(path)).rejects.toMatchObject({
      code: 'record-invalid',
      message: 'this is not a record of a backup: it is not JSON',
    });
  });
});
