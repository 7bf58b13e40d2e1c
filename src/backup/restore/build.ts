// The first step: the new data directory, made beside today's while etcd still runs, with the owner, mode and SELinux label
// that today's has.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, chown, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { syncDirectory } from '../../base/durable-files.ts';
import { EtcdkeepError, readError, writeError } from '../../base/errors.ts';
import { findHostCommand, runHostCommand } from '../../controlplane/host-command.ts';
import { filesOf } from './built-data.ts';
import { makeDirectories, removeTree } from './directories.ts';
import type { Built } from './journal.ts';
import { stageResources } from './resources.ts';
import type { Run } from './run.ts';
import { sampleKeys } from './sample.ts';

/** A directory of some files. */
const LABEL_TIMEOUT_MS = 30_000;

/**
 * Builds all that is moved into place later. What an earlier try has left goes.
 * @returns what is to be known of it from now on
 * @throws EtcdkeepError `backup-changed`, `archive-unusable`, those of the builder, `disk-full`, `target-unwritable`,
 * `file-failed`; the signal's reason
 */
export async function buildAll(run: Run): Promise<Built> {
  const { host, plan, report, signal } = run;
  const directory = host.realPath(plan.data.build);
  await demandSameSnapshot(run);
  const staging = await stageResources(run);
  await removeTree(directory, plan.stamp);
  await makeDirectories(directory, 0o700);
  const { keys } = await run.build({
    plan,
    directory,
    signal,
    progress: (bytes, totalBytes) => report({ kind: 'build-progress', bytes, totalBytes }),
  });
  signal.throwIfAborted();
  await dress(run, join(directory, 'member'));
  return {
    files: await filesOf(join(directory, 'member')),
    ...(keys === undefined ? {} : { keys }),
    staging: [...staging],
    sample: await sampleKeys(plan.backup.snapshot),
  };
}

/** @throws EtcdkeepError `backup-changed`, `file-failed`; the signal's reason */
async function demandSameSnapshot({ plan, signal }: Run): Promise<void> {
  const { snapshot, sha256 } = plan.backup;
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(snapshot, { highWaterMark: 1 << 20 }), hash, { signal });
  } catch (reason) {
    signal.throwIfAborted();
    throw readError(reason, 'read the snapshot', snapshot);
  }
  const found = hash.digest('hex');
  if (found === sha256) return;
  throw new EtcdkeepError('backup-changed', 'the snapshot is not the one of the plan any more', {
    path: snapshot,
    facts: [
      ['planned', sha256],
      ['found', found],
    ],
  });
}

/** Gives it what `member` has, and brings all of it to the disk. */
async function dress({ host, plan }: Run, member: string): Promise<void> {
  const { uid, gid, mode, selinux } = plan.data;
  const paths = [member];
  try {
    for (const name of await readdir(member, { recursive: true })) paths.push(join(member, name));
    for (const path of paths) await chown(path, uid, gid);
    await chmod(member, mode);
  } catch (reason) {
    throw writeError(reason, 'give the new data their owner', member);
  }
  if (selinux !== undefined) {
    const inside = join(plan.data.build, 'member');
    const chcon = await findHostCommand(host, 'chcon');
    const words = ['--recursive', '--no-dereference', selinux, inside];
    const result = chcon && (await runHostCommand(chcon, words, LABEL_TIMEOUT_MS));
    if (result?.code !== 0) {
      const why = result?.stderr.trim() ?? 'there is no chcon';
      throw new EtcdkeepError('target-unwritable', `cannot label the new data ${selinux}: ${why}`, {
        path: member,
      });
    }
  }
  for (const path of paths.reverse()) await sync(path);
}

async function sync(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isDirectory()) {
      await syncDirectory(path);
      return;
    }
    await using file = await open(path, 'r');
    await file.sync();
  } catch (reason) {
    throw writeError(reason, 'bring it to the disk', path);
  }
}
