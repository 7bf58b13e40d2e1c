// Flags of the commands that work on a control-plane host, and the request they come to.

import { hostname, userInfo } from 'node:os';
import type { HostRequest } from '../backup/check.ts';
import { CHECK_FLAGS, type CheckFlags, checkPolicy } from './check-flags.ts';
import type { CommandContext } from './context.ts';
import { clientOptions } from './etcd-client-options.ts';
import { type EtcdFlags, withoutEndpoints } from './etcd-flags.ts';

export interface HostFlags extends EtcdFlags, CheckFlags {
  readonly root?: string;
  readonly staticResourcesDir?: string;
}

export const ROOT_FLAG = {
  root: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'dir',
    brief: "the host's root directory, if it is not / (in a debug pod, /host is found)",
  },
} as const;

export const HOST_FLAGS = {
  ...ROOT_FLAG,
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
  return {
    ...bareHostRequest(flags, context),
    resourcesDirectory: flags.staticResourcesDir,
    policy: checkPolicy(flags),
  };
}

/**
 * What every command on a host asks for, whatever its checks.
 * @throws EtcdkeepError `usage`
 */
export function bareHostRequest(
  flags: EtcdFlags & { readonly root?: string },
  context: CommandContext,
): Omit<HostRequest, 'policy'> {
  const etcd = withoutEndpoints(flags, context.process.env);
  return {
    root: flags.root,
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
    now: context.now,
    signal: context.signal,
  };
}

/** Who does it, for others to know. */
export function ownerWords(): string {
  return `${userInfo().username}@${hostname()}, process ${process.pid}`;
}
