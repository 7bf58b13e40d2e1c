// The program that a kubeconfig names for its user's credentials (`aws eks get-token`, `kubelogin` and their like), run
// as kubectl runs it: Kubernetes documentation, "client-go credential plugins"; k8s.io/client-go, plugin/pkg/client/auth/exec.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';
import { EtcdkeepError, systemCodeOf } from '../base/errors.ts';
import type { ApiAccess, CredentialPlugin } from './kubeconfig.ts';

/** What it has given. Certificate and key are PEM. */
export interface Credentials {
  readonly token: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** When they end; undefined if they are good until they are refused. */
  readonly expires: Date | undefined;
}

export interface PluginOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether it may ask whoever sits at the terminal. */
  readonly isTerminal: boolean;
  readonly signal: AbortSignal;
}

const API_VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];

/** A token and a certificate have a few kB. */
const MAX_OUTPUT_BYTES = 1 << 20;

// client.authentication.k8s.io/v1, ExecCredential.
const schema = z.object({
  apiVersion: z.string(),
  kind: z.literal('ExecCredential'),
  status: z.object({
    token: z.string().optional(),
    clientCertificateData: z.string().optional(),
    clientKeyData: z.string().optional(),
    expirationTimestamp: z.iso.datetime({ offset: true }).optional(),
  }),
});

/**
 * Runs it once. What it says on stderr is the user's to read.
 * @throws EtcdkeepError `credential-plugin-failed`; the signal's reason
 */
export async function runCredentialPlugin(
  access: ApiAccess,
  plugin: CredentialPlugin,
  options: PluginOptions,
): Promise<Credentials> {
  const { apiVersion, command, interactiveMode = 'IfAvailable' } = plugin;
  if (!API_VERSIONS.includes(apiVersion)) {
    throw failed(plugin, `its apiVersion is none of ${API_VERSIONS.join(', ')}`);
  }
  const isInteractive = interactiveMode !== 'Never' && options.isTerminal;
  if (interactiveMode === 'Always' && !isInteractive) {
    throw failed(plugin, 'it wants to ask, and there is no terminal');
  }
  const given = Object.fromEntries(plugin.env.map(({ name, value }) => [name, value]));
  const child = spawn(command, [...plugin.args], {
    env: {
      ...options.env,
      ...given,
      KUBERNETES_EXEC_INFO: execInfo(access, plugin, isInteractive),
    },
    stdio: [isInteractive ? 'inherit' : 'ignore', 'pipe', 'inherit'],
    signal: options.signal,
  });
  try {
    const [output, [code, killedBy]] = await Promise.all([
      outputOf(child.stdout, plugin),
      once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
    ]);
    if (code !== 0) throw failed(plugin, `it ended with ${code ?? killedBy}`);
    return read(output, plugin);
  } catch (reason) {
    options.signal.throwIfAborted();
    child.kill();
    if (reason instanceof EtcdkeepError) throw reason;
    const why = systemCodeOf(reason) === 'ENOENT' ? 'there is no such program' : 'it cannot be run';
    throw failed(plugin, why, reason);
  }
}

function execInfo(
  { server, ca, serverName, isInsecure, proxy }: ApiAccess,
  { apiVersion, provideClusterInfo }: CredentialPlugin,
  interactive: boolean,
): string {
  const cluster = {
    server: server.href,
    'tls-server-name': serverName,
    'insecure-skip-tls-verify': isInsecure || undefined,
    'certificate-authority-data': ca === undefined ? undefined : Buffer.from(ca).toString('base64'),
    'proxy-url': proxy,
  };
  const spec = { interactive, ...(provideClusterInfo ? { cluster } : {}) };
  return JSON.stringify({ apiVersion, kind: 'ExecCredential', spec });
}

async function outputOf(stream: NodeJS.ReadableStream, plugin: CredentialPlugin): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_OUTPUT_BYTES) throw failed(plugin, 'it printed too much');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Nothing of what it has printed is shown: it may be a token. */
function read(output: string, plugin: CredentialPlugin): Credentials {
  const parsed = schema.safeParse(parseJson(output));
  if (!parsed.success) throw failed(plugin, 'it printed no ExecCredential');
  const { apiVersion, status } = parsed.data;
  if (apiVersion !== plugin.apiVersion) {
    throw failed(plugin, `it answered with another apiVersion than ${plugin.apiVersion}`);
  }
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = status;
  if (token === undefined && (cert === undefined || key === undefined)) {
    throw failed(plugin, 'it gave neither a token nor a certificate with its key');
  }
  const expires = expirationTimestamp === undefined ? undefined : new Date(expirationTimestamp);
  return { token, cert, key, expires };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function failed({ command, installHint }: CredentialPlugin, why: string, cause?: unknown) {
  return new EtcdkeepError(
    'credential-plugin-failed',
    `the credentials plugin of the kubeconfig failed: ${why}`,
    {
      facts: [['plugin', command]],
      ...(installHint === undefined ? {} : { advice: installHint.trim() }),
      cause,
    },
  );
}
