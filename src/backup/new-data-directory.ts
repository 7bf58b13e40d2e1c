// A data directory of etcd that is being made.

import { stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { namesIn } from '../base/directory-names.ts';
import {
  createFile,
  stagingOwner,
  syncDirectory,
  writeFileDurably,
} from '../base/durable-files.ts';
import { EtcdkeepError, writeError } from '../base/errors.ts';
import { leadsSomewhere } from '../base/exists.ts';
import type { NewCluster } from '../etcd/datadir/new-member.ts';
import { writeSnap } from '../etcd/datadir/snap-writer.ts';
import { FIRST_WAL, WAL_SIZE, writeWal } from '../etcd/datadir/wal-writer.ts';
import { makeDirectory, StagedDirectory, sweepStaged } from './staged-directory.ts';

/** Where the files of a member go. */
export interface MemberDirectory {
  /** Name of the member. */
  readonly name: string;
  /** Missing, or empty. */
  readonly dataDirectory: string;
  /** Missing; `member/wal` in the data directory if left out. */
  readonly walDirectory?: string | undefined;
}

/** What a new file system has in its root. */
const HARMLESS = ['lost+found'];

export class NewDataDirectory implements AsyncDisposable {
  /** Where its database is to be written. */
  readonly database: string;
  readonly #name: string;
  readonly #member: StagedDirectory;
  /** Where the log is written. */
  readonly #wal: string;
  /** If the log goes elsewhere. */
  readonly #walDirectory: StagedDirectory | undefined;

  private constructor(name: string, member: StagedDirectory, wal: StagedDirectory | string) {
    this.#name = name;
    this.#member = member;
    this.#wal = typeof wal === 'string' ? wal : wal.path;
    this.#walDirectory = typeof wal === 'string' ? undefined : wal;
    this.database = join(member.path, 'snap/db');
  }

  /**
   * Begins one.
   * @throws EtcdkeepError `data-dir-not-empty`, `target-exists` (the directory of the log), `target-unwritable`, `disk-full`,
   * `file-failed`; nothing is left behind
   */
  static async begin(directory: MemberDirectory): Promise<NewDataDirectory> {
    const target = join(resolve(directory.dataDirectory), 'member');
    await demandEmpty(directory.dataDirectory);
    await using undo = new AsyncDisposableStack();
    const member = undo.use(await StagedDirectory.begin(target));
    await makeDirectory(join(member.path, 'snap'));
    const walTarget = resolve(directory.walDirectory ?? join(target, 'wal'));
    const inMember = relative(target, walTarget);
    let wal: StagedDirectory | string;
    if (inMember.startsWith('..') || isAbsolute(inMember)) {
      await demandMissing(walTarget);
      wal = undo.use(await StagedDirectory.begin(walTarget));
    } else {
      wal = join(member.path, inMember);
      await makeDirectory(wal, true);
    }
    undo.move();
    return new NewDataDirectory(directory.name, member, wal);
  }

  /** Writes the log and raft's snapshot. @throws EtcdkeepError `disk-full`, `target-unwritable`, `file-failed` */
  async writeRaft(cluster: NewCluster): Promise<void> {
    const { id } = cluster.members.find(({ name }) => name === this.#name)!;
    await writeLog(join(this.#wal, FIRST_WAL), writeWal(cluster, id));
    await syncDirectory(this.#wal);
    const snap = writeSnap(cluster);
    const directory = join(this.#member.path, 'snap');
    await writeFileDurably(join(directory, snap.name), snap.bytes);
    await syncDirectory(directory);
    await syncDirectory(this.#member.path);
  }

  /** Gives it its name. The log comes first: without one, etcd would begin a cluster of its own. */
  async publish(): Promise<void> {
    await this.#walDirectory?.publish();
    await this.#member.publish();
  }

  /** Nothing of it is undone any more. */
  async keep(): Promise<void> {
    await this.#walDirectory?.keep();
    await this.#member.keep();
  }

  /** What of it is there, to be asked after a failure. */
  async left(): Promise<string[]> {
    return [...(await this.#member.left()), ...((await this.#walDirectory?.left()) ?? [])];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#member[Symbol.asyncDispose]();
    await this.#walDirectory?.[Symbol.asyncDispose]();
  }
}

/** Zeros follow on the records, which take no room before etcd writes there. */
async function writeLog(path: string, records: Uint8Array): Promise<void> {
  await using file = await createFile(path);
  try {
    await file.writeFile(records);
    await file.truncate(WAL_SIZE);
    await file.sync();
  } catch (reason) {
    throw writeError(reason, 'write the log', path);
  }
}

async function demandEmpty(path: string): Promise<void> {
  if (!(await leadsSomewhere(path))) return;
  if (!(await stat(path)).isDirectory()) {
    throw new EtcdkeepError('data-dir-not-empty', 'the data directory is a file', { path });
  }
  await sweepStaged(path);
  const names = (await namesIn(path)).filter((name) => !HARMLESS.includes(name));
  const running = names.find((name) => stagingOwner(name) !== undefined);
  if (running !== undefined) {
    throw new EtcdkeepError('data-dir-not-empty', 'another restore is being made there', {
      path: join(path, running),
    });
  }
  if (names.length === 0) return;
  throw new EtcdkeepError('data-dir-not-empty', 'the data directory is not empty', {
    path,
    facts: [['holds', names.sort().slice(0, 5).join(' ')]],
  });
}

async function demandMissing(path: string): Promise<void> {
  if (!(await leadsSomewhere(path))) return;
  throw new EtcdkeepError('target-exists', "the directory of the member's log exists", {
    path,
    advice: 'name one with --wal-dir that does not exist yet',
  });
}
