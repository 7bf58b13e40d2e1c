// etcdkeep quorum-restore: which member is newest where a quorum is lost, and the way from there. It only plans.

import { hostname } from 'node:os';
import { buildCommand } from '@stricli/core';
import type { OwnHost } from '../../backup/quorum/sources.ts';
import { OUTPUT_FLAGS, type OutputFlags } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { clientOptions } from '../etcd-client-options.ts';
import { ETCD_FLAGS, type EtcdFlags, withEnvironment, withoutEndpoints } from '../etcd-flags.ts';
import { quorumDocument, showQuorum } from '../quorum-screen.ts';
import { withScreen } from '../screen.ts';

interface Flags extends EtcdFlags, OutputFlags {
  readonly root?: string;
  readonly dataDir?: readonly string[];
}

async function run(this: CommandContext, flags: Flags): Promise<void> {
  await withScreen(this, flags, async (screen) => {
    const { endpoints, ...named } = flags;
    const ofHost = withoutEndpoints(named, this.process.env);
    const ofUser = withEnvironment(named, this.process.env);
    // Loaded here, so that no other command, and not --help, waits for it.
    const { quorumRestore } = await import('../../backup/quorum/quorum-restore.ts');
    const found = await quorumRestore({
      root: flags.root,
      hostName: hostname(),
      uid: this.uid,
      directories: (flags.dataDir ?? []).map(parseDirectory),
      endpoints: (endpoints ?? '').split(',').filter((one) => one !== ''),
      connectTo: (endpoint, own) =>
        own === undefined
          ? clientOptions({ ...ofUser, endpoints: endpoint }, this)
          : clientOptions({ ...ofHost, endpoints: endpoint }, this, credentialsOf(own)),
      report: (source) => screen.progress.start(source),
      signal: this.signal,
    });
    screen.progress.start('');
    showQuorum(screen, found);
    screen.document(quorumDocument(found));
  });
}

function credentialsOf({ host, local }: OwnHost) {
  const { cacert, cert, key, credentialWords } = local;
  return {
    files: {
      cacert: host.realPath(cacert),
      cert: host.realPath(cert),
      key: host.realPath(key),
    },
    words: credentialWords,
  };
}

/** `NAME=DIR`, or a directory alone. */
function parseDirectory(text: string): { name: string | undefined; path: string } {
  const [, name, path] = /^([^=/]+)=(.+)$/.exec(text) ?? [];
  return { name, path: path ?? text };
}

export const quorumRestore = buildCommand({
  func: run,
  parameters: {
    flags: {
      root: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'dir',
        brief: "the host's root directory, if it is not / (in a debug pod, /host is found)",
      },
      dataDir: {
        kind: 'parsed',
        parse: String,
        optional: true,
        variadic: true,
        placeholder: 'NAME=DIR',
        brief: 'data directory of a member, or a copy of one; can be given more than once',
      },
      ...OUTPUT_FLAGS,
      ...ETCD_FLAGS,
      endpoints: { ...ETCD_FLAGS.endpoints, placeholder: 'url,...', brief: 'members to be asked' },
    },
  },
  docs: {
    brief: 'Plan how a cluster that has lost its quorum is started from its newest member',
    fullDescription: [
      'Looks at the data directories and members that are named, or at those of this control-plane host: says which',
      'member is newest and why, what each other choice would lose, whether a quorum lives, and how a cluster is started',
      'from the newest one. Nothing is changed, and nothing is started.',
      '',
      'A restore of a good backup is the better way where there is one that is new enough. docs/quorum-restore.md.',
      'Exit status: 0 planned, 3 a quorum lives or the members are not of one cluster, 1 failed, 2 usage.',
    ].join('\n'),
  },
});
