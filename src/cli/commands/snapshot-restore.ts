// etcdkeep snapshot restore FILE: data directories from a snapshot, as etcdutl makes them.

import { join } from 'node:path';
import { buildCommand } from '@stricli/core';
import type { MemberDirectory } from '../../backup/new-data-directory.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import { OUTPUT_FLAGS, type OutputFlags } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { parseBytes, parseDuration, parseRevision } from '../parse.ts';
import { restoredDocument, tellEvents, tellRestored } from '../restore-snapshot-screen.ts';
import { withScreen } from '../screen.ts';

interface Flags extends OutputFlags {
  readonly dataDir?: string;
  readonly walDir?: string;
  readonly name?: string;
  readonly initialCluster?: string;
  readonly initialClusterToken: string;
  readonly initialAdvertisePeerUrls?: string;
  readonly allMembers: boolean;
  readonly skipHashCheck: boolean;
  readonly bumpRevision?: bigint;
  readonly markCompacted: boolean;
  readonly clearAlarms: boolean;
  readonly targetVersion?: string;
  readonly initialMemoryMapSize?: number;
  readonly timeout?: number;
}

/** As in etcdutl: --initial-cluster does not follow --name. */
const NAME = 'default';
const PEER_URLS = 'http://localhost:2380';

type PeerUrls = ReadonlyMap<string, readonly string[]>;

async function run(this: CommandContext, flags: Flags, file: string): Promise<void> {
  await withScreen(this, flags, async (screen) => {
    const bump = bumpOf(flags);
    // Loaded here, so that no other command, and not --help, waits for it.
    const { parseInitialCluster } = await import('../../etcd/datadir/peer-urls.ts');
    const { restoreSnapshot } = await import('../../backup/restore-snapshot.ts');
    const cluster = flags.initialCluster ?? `${NAME}=${PEER_URLS}`;
    const peerUrls = parseInitialCluster(cluster, '--initial-cluster');
    const directories = await directoriesOf(flags, peerUrls);
    screen.progress.start('restoring');
    const restored = await restoreSnapshot({
      ...{ file, directories, peerUrls, bump, signal: this.signal },
      token: flags.initialClusterToken,
      clearAlarms: flags.clearAlarms,
      targetVersion: flags.targetVersion,
      skipDigest: flags.skipHashCheck,
      progress: (bytes, totalBytes) => screen.progress.advance(bytes, totalBytes),
    });
    const made = directories.map(({ name, dataDirectory, walDirectory }) => ({
      ...{ name, dataDirectory },
      walDirectory: walDirectory ?? join(dataDirectory, 'member/wal'),
    }));
    tellEvents(screen, file, restored, made, this.now());
    tellRestored(screen, file, restored, made);
    screen.document(restoredDocument(file, restored, made));
  });
}

/** @throws EtcdkeepError `usage` */
function bumpOf({ bumpRevision = 0n, markCompacted }: Flags): bigint | undefined {
  if (bumpRevision > 0n !== markCompacted) {
    throw new EtcdkeepError('usage', '--bump-revision and --mark-compacted need each other', {
      advice: 'revisions that rise are of use only where those before are gone: give both or none',
    });
  }
  return markCompacted ? bumpRevision : undefined;
}

/** @throws EtcdkeepError `usage`, `initial-cluster-invalid` */
async function directoriesOf(
  flags: Flags,
  peerUrls: PeerUrls,
): Promise<readonly MemberDirectory[]> {
  const { dataDir, walDir, initialAdvertisePeerUrls } = flags;
  if (flags.allMembers) {
    if ((flags.name ?? walDir ?? initialAdvertisePeerUrls) !== undefined) {
      throw new EtcdkeepError(
        'usage',
        '--all-members takes names and URLs from --initial-cluster, and each log goes into its data directory',
        { advice: 'leave out --name, --initial-advertise-peer-urls and --wal-dir' },
      );
    }
    return [...peerUrls.keys()].map((name) => ({
      name,
      dataDirectory: join(dataDir ?? '.', `${name}.etcd`),
    }));
  }
  const { name = NAME } = flags;
  const { demandOwnUrls, invalid, parsePeerUrls } = await import('../../etcd/datadir/peer-urls.ts');
  const inCluster = peerUrls.get(name);
  if (inCluster === undefined) throw invalid(`member ${name} is not in --initial-cluster`);
  const flag = '--initial-advertise-peer-urls';
  const advertised = parsePeerUrls(initialAdvertisePeerUrls ?? PEER_URLS, flag);
  await demandOwnUrls(advertised, name, inCluster);
  return [{ name, dataDirectory: dataDir ?? `${name}.etcd`, walDirectory: walDir }];
}

/** `3.6`, also of `v3.6.16`. @throws SyntaxError */
function parseMinor(text: string): string {
  const minor = /^v?(\d+\.\d+)(\.\d+)?$/.exec(text)?.[1];
  if (minor === undefined) throw new SyntaxError(`"${text}" is not a version such as 3.6`);
  return minor;
}

const text = (placeholder: string, brief: string) =>
  ({ kind: 'parsed', parse: String, optional: true, placeholder, brief }) as const;
const flag = (brief: string) =>
  ({ kind: 'boolean', default: false, withNegated: false, brief }) as const;

export const snapshotRestore = buildCommand({
  func: run,
  parameters: {
    flags: {
      dataDir: text('DIR', 'data directory to make; NAME.etcd if left out'),
      walDir: text(
        'DIR',
        "directory of the member's log; member/wal in the data directory if left out",
      ),
      name: text('NAME', `name of the member; ${NAME} if left out`),
      initialCluster: text(
        'NAME=URL,...',
        `members of the new cluster; ${NAME}=${PEER_URLS} if left out`,
      ),
      initialClusterToken: {
        kind: 'parsed',
        parse: String,
        default: 'etcd-cluster',
        placeholder: 'text',
        brief: 'sets the new cluster apart from others with the same members',
      },
      initialAdvertisePeerUrls: text(
        'URL,...',
        `peer URLs of the member; ${PEER_URLS} if left out`,
      ),
      allMembers: flag('make a directory for each member of --initial-cluster: DIR/NAME.etcd'),
      skipHashCheck: flag('restore a snapshot whose digest is wrong, or a database without one'),
      bumpRevision: {
        kind: 'parsed',
        parse: parseRevision,
        optional: true,
        placeholder: 'count',
        brief: 'by how much revisions rise; with --mark-compacted',
      },
      markCompacted: flag('mark all revisions before as compacted; with --bump-revision'),
      clearAlarms: flag('remove the alarms that the snapshot holds'),
      targetVersion: {
        kind: 'parsed',
        parse: parseMinor,
        optional: true,
        placeholder: 'X.Y',
        brief: 'the etcd that is to start on it, where it is older than the snapshot',
      },
      initialMemoryMapSize: {
        kind: 'parsed',
        parse: parseBytes,
        optional: true,
        placeholder: 'size',
        brief: "etcdutl's, without effect: nothing is mapped",
      },
      timeout: {
        kind: 'parsed',
        parse: parseDuration,
        optional: true,
        placeholder: 'duration',
        brief: "etcdutl's, without effect: nothing waits for a lock",
      },
      ...OUTPUT_FLAGS,
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'FILE', brief: 'the snapshot' }],
    },
  },
  docs: {
    brief: 'Make a data directory of etcd from a snapshot',
    fullDescription: [
      'Makes what a member of a new cluster starts on, as `etcdutl snapshot restore` does. FILE is read once: its',
      'digest is compared, its structure and its records are looked at, and it is never changed. The directory',
      'appears when all of it is on the disk, and nothing is left of a run that failed.',
      '',
      'Every member of the new cluster needs a directory made from the same FILE. Revisions go on where the',
      'snapshot ends; API servers and others that watch a cluster go wrong by that, unless',
      '--bump-revision 1000000000 --mark-compacted make them list again.',
      '',
      'Exit status: 0 done, 4 FILE is damaged, 1 failed, 2 usage, 3 the directory is not empty, FILE has no digest or is',
      'of a version that is too new, 130 or 143 interrupted.',
    ].join('\n'),
  },
});
