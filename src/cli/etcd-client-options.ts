// From flags and variables to what the client dials with.

import type { ClientOptions } from '../etcd/client/client.ts';
import type { CredentialFiles, Credentials, CredentialWords } from '../etcd/client/credentials.ts';
import { type Endpoint, parseSingleEndpoint } from '../etcd/client/endpoint.ts';
import type { CommandContext } from './context.ts';
import { type EtcdFlags, readLogin } from './etcd-flags.ts';

const DEFAULT_ENDPOINT = '127.0.0.1:2379';
const DEFAULT_DIAL_TIMEOUT_MS = 5000;
const DEFAULT_COMMAND_TIMEOUT_MS = 5000;
const DEFAULT_KEEPALIVE_TIME_MS = 10_000;
const DEFAULT_KEEPALIVE_TIMEOUT_MS = 6000;

/** What the host says where the flags are silent. */
export interface EtcdDefaults {
  readonly endpoints?: string;
  readonly files?: CredentialFiles;
  /** How errors speak of those files. */
  readonly words?: CredentialWords;
}

/**
 * The one endpoint that the flags name, else the default's.
 * @throws EtcdkeepError `endpoint-invalid`, `endpoint-not-single`
 */
export function endpointOf(flags: EtcdFlags, defaults: EtcdDefaults = {}): Endpoint {
  // As in etcdctl: any word about TLS switches it on where the endpoint has no scheme.
  const secure =
    flags.insecureTransport === false ||
    flags.insecureSkipTlsVerify === true ||
    [flags.cacert, flags.cert, flags.key].some((file) => file !== undefined);
  return parseSingleEndpoint(flags.endpoints ?? defaults.endpoints ?? DEFAULT_ENDPOINT, secure);
}

/**
 * Reads the files and asks for the password, if need be.
 * @throws EtcdkeepError
 */
export async function clientOptions(
  flags: EtcdFlags,
  context: CommandContext,
  defaults: EtcdDefaults = {},
): Promise<ClientOptions> {
  const endpoint = endpointOf(flags, defaults);
  const { cacert, cert, key } = flags;
  // A certificate and its key go together: one of the flags replaces both.
  const pair = cert === undefined && key === undefined ? defaults.files : { cert, key };
  const files: CredentialFiles = { ...pair, cacert: cacert ?? defaults.files?.cacert };
  return {
    endpoint,
    credentials: endpoint.secure ? await read(files, context.now(), defaults.words) : {},
    insecureSkipVerify: flags.insecureSkipTlsVerify ?? false,
    dialTimeoutMs: flags.dialTimeout ?? DEFAULT_DIAL_TIMEOUT_MS,
    keepaliveTimeMs: flags.keepaliveTime ?? DEFAULT_KEEPALIVE_TIME_MS,
    keepaliveTimeoutMs: flags.keepaliveTimeout ?? DEFAULT_KEEPALIVE_TIMEOUT_MS,
    commandTimeoutMs: flags.commandTimeout ?? DEFAULT_COMMAND_TIMEOUT_MS,
    login: await readLogin(flags, context.askSecret),
    signal: context.signal,
  };
}

async function read(
  files: CredentialFiles,
  now: Date,
  words: CredentialWords | undefined,
): Promise<Credentials> {
  const { readCredentials } = await import('../etcd/client/credentials.ts');
  return await readCredentials(files, now, words);
}
