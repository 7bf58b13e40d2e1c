// How to reach etcd: the flags of etcdctl and its ETCDCTL_ variables. A flag wins over its
// variable (etcdctl refuses the two together; a host's etcd.env sets them all).

import { EtcdkeepError, messageOf } from '../base/errors.ts';
import type { CommandContext } from './context.ts';
import { parseBoolean, parseDuration } from './parse.ts';

/** Values of the flags as given; what is undefined was not given. */
export interface EtcdFlags {
  readonly endpoints?: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly user?: string;
  readonly password?: string;
  readonly insecureTransport?: boolean;
  readonly insecureSkipTlsVerify?: boolean;
  readonly dialTimeout?: number;
  readonly commandTimeout?: number;
  readonly keepaliveTime?: number;
  readonly keepaliveTimeout?: number;
}

const text = <const P extends string>(placeholder: P, brief: string) =>
  ({ kind: 'parsed', parse: String, optional: true, placeholder, brief }) as const;
const duration = (brief: string) =>
  ({
    kind: 'parsed',
    parse: parseDuration,
    optional: true,
    placeholder: 'duration',
    brief,
  }) as const;
const flag = (brief: string) =>
  ({ kind: 'boolean', optional: true, withNegated: false, brief }) as const;

/** The flags for stricli; names and meanings are etcdctl's. */
export const ETCD_FLAGS = {
  endpoints: text('url', 'gRPC endpoint of one member (127.0.0.1:2379)'),
  cacert: text('file', 'verify the member against this CA bundle'),
  cert: text('file', 'identify with this client certificate'),
  key: text('file', 'key of the client certificate'),
  user: text('name[:password]', 'user name, when authentication is on'),
  password: text('password', 'password of --user; better in ETCDCTL_PASSWORD'),
  insecureTransport: flag('=false: use TLS although no certificate is named'),
  insecureSkipTlsVerify: flag("do not verify the member's certificate"),
  dialTimeout: duration('time to connect (5s)'),
  commandTimeout: duration('time for each request (5s); for a whole snapshot only if given'),
  keepaliveTime: duration('time between pings (10s, no less)'),
  keepaliveTimeout: duration('time to wait for the answer to a ping (6s)'),
} as const;

/** Variables of etcdctl that say nothing to a snapshot of one member, or choose an API long gone. */
const IGNORED_VARIABLES = new Set([
  'ETCDCTL_API',
  'ETCDCTL_DEBUG',
  'ETCDCTL_DISCOVERY_SRV',
  'ETCDCTL_DISCOVERY_SRV_NAME',
  'ETCDCTL_HEX',
  'ETCDCTL_INSECURE_DISCOVERY',
  'ETCDCTL_MAX_RECV_BYTES',
  'ETCDCTL_MAX_REQUEST_BYTES',
  'ETCDCTL_WRITE_OUT',
]);

/** `insecureSkipTlsVerify` is read from ETCDCTL_INSECURE_SKIP_TLS_VERIFY. */
function variableOf(name: string): string {
  return `ETCDCTL_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/**
 * The flags, with what is missing taken from the environment.
 * @throws EtcdkeepError `usage` for a variable that cannot be parsed
 */
export function withEnvironment(
  flags: EtcdFlags,
  env: CommandContext['process']['env'],
): EtcdFlags {
  const merged: Record<string, unknown> = {};
  for (const [name, { kind, ...definition }] of Object.entries(ETCD_FLAGS)) {
    const variable = variableOf(name);
    const value = env[variable];
    merged[name] = flags[name as keyof EtcdFlags];
    if (merged[name] !== undefined || value === undefined || value === '') continue;
    try {
      merged[name] =
        kind === 'boolean' || !('parse' in definition)
          ? parseBoolean(value)
          : definition.parse(value);
    } catch (reason) {
      throw new EtcdkeepError('usage', `${variable}: ${messageOf(reason)}`);
    }
  }
  return merged;
}

const HOST_VARIABLES = new Set(
  ['endpoints', 'cacert', 'cert', 'key'].map((name) => variableOf(name)),
);

/**
 * The same for a host, which says itself where its member is: a shell that has read the host's
 * etcd.env names every member and in-pod paths, so of the variables only the others count.
 */
export function withoutEndpoints(
  flags: EtcdFlags,
  env: CommandContext['process']['env'],
): EtcdFlags {
  const others = Object.entries(env).filter(([name]) => !HOST_VARIABLES.has(name));
  return withEnvironment(flags, Object.fromEntries(others));
}

/** ETCDCTL_ variables that mean nothing to us, or to etcdctl either: probably misspelt. */
export function unknownVariables(env: CommandContext['process']['env']): string[] {
  const known = new Set(Object.keys(ETCD_FLAGS).map(variableOf));
  return Object.keys(env).filter(
    (name) => name.startsWith('ETCDCTL_') && !known.has(name) && !IGNORED_VARIABLES.has(name),
  );
}

/**
 * User and password; asks for the password on the terminal if only the user is named, as etcdctl does.
 * @throws EtcdkeepError `usage` where there is no terminal to ask on
 */
export async function readLogin(
  flags: EtcdFlags,
  askSecret: CommandContext['askSecret'],
): Promise<{ user: string; password: string } | undefined> {
  if (flags.user === undefined) return undefined;
  if (flags.password !== undefined) return { user: flags.user, password: flags.password };
  const colon = flags.user.indexOf(':');
  if (colon >= 0) {
    return { user: flags.user.slice(0, colon), password: flags.user.slice(colon + 1) };
  }
  if (askSecret === undefined) {
    throw new EtcdkeepError('usage', 'a user is named, but no password', {
      advice: 'set ETCDCTL_PASSWORD',
    });
  }
  return { user: flags.user, password: await askSecret(`Password of ${flags.user}: `) };
}
