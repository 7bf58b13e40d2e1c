// Flags of the commands that work on a control-plane host, and the request they come to.

import { hostname } from 'node:os';
import type { HostRequest } from '../backup/check.ts';
import { CHECK_FLAGS, type CheckFlags, checkPolicy } from './check-flags.ts';
import type { CommandContext } from './context.ts';
import { clientOptions } from './etcd-client-options.ts';
import { type EtcdFlags, withoutEndpoints } from './etcd-flags.ts';

export interface HostFlags extends EtcdFlags, CheckFlags {
  readonly root?: string;
  readonly staticResourcesDir?: string;
}

export const HOST_FLAGS = {
  root: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'dir',
    brief: "the host's root directory, if it is not / (in a debug pod, /host is found)",
  },
  staticResourcesDir: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'dir',
    brief: 'where the archive goes, which holds the encryption keys, if not into DIR',
  },
  ...CHECK_FLAGS,
} as const;

/** @throws EtcdkeepError `usage` */
export function hostRequest(
  flags: HostFlags,
  context: CommandContext,
): HostRequest & { readonly resourcesDirectory: string | undefined } {
  const etcd = withoutEndpoints(flags, context.process.env);
  return {
    root: flags.root,
    resourcesDirectory: flags.staticResourcesDir,
    hostName: hostname(),
    uid: context.uid,
    connectTo: (host, member) =>
      clientOptions(etcd, context, {
        endpoints: member.endpoint,
        files: {
          cacert: host.realPath(member.cacert),
          cert: host.realPath(member.cert),
          key: host.realPath(member.key),
        },
        words: member.credentialWords,
      }),
    policy: checkPolicy(flags),
    now: context.now,
    signal: context.signal,
  };
}
