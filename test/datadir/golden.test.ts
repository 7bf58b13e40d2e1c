// The log and raft's snapshot of a restored member, beside those that each version's own tool makes of the same arguments.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readWal } from '../../src/etcd/datadir/wal-reader.ts';
import { runCli } from '../cli/run.ts';
import { directoryForTest, flagsFor } from '../cli/scene.ts';
import { runCommand } from '../servers/command.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import { binariesOf, startEtcd } from '../servers/etcd.ts';
import { describeEachVersion } from '../servers/for-vitest.ts';
import { cleanEnvironment } from '../servers/processes.ts';
import { byVersion } from '../servers/versions.ts';

const WAL = 'member/wal/0000000000000000-0000000000000000.wal';
const snapOf = (members: number): string =>
  `member/snap/0000000000000001-${members.toString(16).padStart(16, '0')}.snap`;

/** Arguments by the name of what is in them, and how many members they are of. */
const CLUSTERS: Readonly<Record<string, readonly [members: number, ...args: string[]]>> = {
  'one member, by the defaults': [1],
  'three members and a token': [
    3,
    '--name=b',
    '--initial-cluster=a=https://10.0.0.1:2380,b=https://10.0.0.2:2380,c=https://10.0.0.3:2380',
    '--initial-advertise-peer-urls=https://10.0.0.2:2380',
    '--initial-cluster-token=openshift-etcd-51b8',
  ],
  'several URLs, not in order, of many kinds': [
    3,
    '--name=b',
    '--initial-cluster=b=http://[2001:db8::2]:2380,a=HTTPS://master-0.example.org:2380,b=http://10.0.0.2:2380,c=unix://c:0',
    '--initial-advertise-peer-urls=http://[2001:db8::2]:2380, http://10.0.0.2:2380',
  ],
  'names that JSON has to escape': [
    2,
    '--name=a "b" <c> & d\\',
    '--initial-cluster=a "b" <c> & d\\=http://10.0.0.1:2380,ünï=http://10.0.0.2:2380',
    '--initial-advertise-peer-urls=http://10.0.0.1:2380',
  ],
  'more members than a cluster should have': [
    12,
    '--name=m3',
    `--initial-cluster=${Array.from({ length: 12 }, (_, index) => `m${index}=http://10.0.0.${index}:2380`).join()}`,
    '--initial-advertise-peer-urls=http://10.0.0.3:2380',
  ],
};

describeEachVersion('a directory', (version) => {
  let file: string;
  beforeAll(async () => {
    file = join(temporaryDirectory(), 'snapshot.db');
    await using etcd = await startEtcd({ version });
    await etcd.gateway.put('/key', 'value');
    await runCli(['snapshot', 'save', file, ...flagsFor(etcd.member)]);
  });

  describe.each(Object.entries(CLUSTERS))('of %s', (_, [members, ...args]) => {
    const both = async (name: string): Promise<readonly [ours: Buffer, theirs: Buffer]> => {
      const [ours, theirs] = await restored();
      return [await readFile(join(ours, name)), await readFile(join(theirs, name))];
    };
    const restored = async (): Promise<readonly [ours: string, theirs: string]> => {
      const [ours, theirs] = [join(directoryForTest(), 'data'), join(directoryForTest(), 'data')];
      const { etcdutl, etcdctl } = await binariesOf(version);
      const restore = ['snapshot', 'restore', file, ...args];
      const options = { env: cleanEnvironment() };
      const tool = await runCommand(
        etcdutl ?? etcdctl,
        [...restore, `--data-dir=${theirs}`],
        options,
      );
      expect(tool).toMatchObject({ code: 0 });
      const own = await runCli([...restore, `--data-dir=${ours}`]);
      expect(own.code, own.stderr).toBe(0);
      return [ours, theirs];
    };

    it('has the same log', async () => {
      const [ours, theirs] = await both(WAL);
      if (byVersion(version, '3.5.0') < 0) {
        // The last record there names no members, and was not needed to yet.
        const end = ours.lastIndexOf(Buffer.from([0x08, 0x05, 0x10])) - 8;
        expectEqual(ours.subarray(0, end), theirs.subarray(0, end));
      } else if (byVersion(version, '3.7.0') < 0) expectEqual(ours, theirs);
      // 3.7 leaves zeros out of some messages.
      else expect(ours.length).toBe(theirs.length);
    });

    it('has a log that says the same', async () => {
      const [ours, theirs] = await Promise.all((await restored()).map(meaningOf));
      expect(ours).toEqual(theirs);
    });

    it("has the same members in raft's snapshot", async () => {
      const [ours, theirs] = await both(snapOf(members));
      // Which entry made which member is by chance since 3.6.
      if (version.startsWith('3.5.')) expectEqual(ours, theirs);
      expect(storeOf(ours)).toEqual(storeOf(theirs));
    });
  });
});

/** What a log comes to, whatever its bytes. */
async function meaningOf(directory: string) {
  const { metadata, hardState, snapshots, log } = await readWal(join(directory, 'member/wal'));
  // 3.4 does not name the members in its last record.
  const positions = snapshots.map(({ index, term }) => ({ index, term }));
  const members = log.membersFrom(undefined, 0n);
  return {
    metadata,
    hardState,
    positions,
    firstIndex: log.firstIndex,
    lastIndex: log.lastIndex,
    members,
  };
}

/** Quicker than an assertion that prints 64 MB of a difference. */
function expectEqual(left: Buffer, right: Buffer): void {
  expect(left.length).toBe(right.length);
  const differs = left.findIndex((byte, index) => byte !== right[index]);
  expect(differs).toBe(-1);
}

/** The members of the v2 store, by path. */
function storeOf(snap: Buffer): unknown {
  const text = snap.toString();
  const json = text.slice(text.indexOf('{"Root"'), text.lastIndexOf('"CurrentVersion":2}') + 19);
  const { Root: root } = JSON.parse(json) as { Root: StoreNode };
  return membersOf(root);
}

interface StoreNode {
  readonly Path: string;
  readonly Value: string;
  readonly Children: Readonly<Record<string, StoreNode>> | null;
}

function membersOf({ Path, Value, Children }: StoreNode): unknown {
  const below = Object.values(Children ?? {}).map(membersOf);
  return { Path, Value, below };
}
