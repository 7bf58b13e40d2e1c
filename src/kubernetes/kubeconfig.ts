// A kubeconfig: how its current context reaches an API server. What it holds are credentials: nothing of
// it is quoted in an error.

import { dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { EtcdkeepError } from '../base/errors.ts';
import { parseYaml, YamlSyntaxError } from '../base/yaml.ts';

/** How to reach an API server. Certificates and keys are PEM. */
export interface ApiAccess {
  readonly server: URL;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
  /** The name that the server's certificate is held against, if it is not the URL's. */
  readonly serverName: string | undefined;
}

// k8s.io/client-go, tools/clientcmd/api/v1/types.go: Config, Cluster, AuthInfo, Context.
const schema = z.object({
  'current-context': z.string(),
  contexts: z.array(
    z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: z.string() }) }),
  ),
  clusters: z.array(
    z.object({
      name: z.string(),
      cluster: z.object({
        server: z.url({ protocol: /^https$/ }),
        'certificate-authority': z.string().optional(),
        'certificate-authority-data': z.base64().optional(),
        'tls-server-name': z.string().optional(),
      }),
    }),
  ),
  users: z.array(
    z.object({
      name: z.string(),
      user: z.object({
        'client-certificate': z.string().optional(),
        'client-certificate-data': z.base64().optional(),
        'client-key': z.string().optional(),
        'client-key-data': z.base64().optional(),
        token: z.string().optional(),
        tokenFile: z.string().optional(),
      }),
    }),
  ),
});

/**
 * Reads the text of a kubeconfig, and the files that it names.
 * @param path where the text comes from: relative paths in it start there
 * @param readFile reads a file that it names
 * @throws EtcdkeepError `kubeconfig-invalid`, and what `readFile` throws
 */
export async function readKubeconfig(
  text: string,
  path: string,
  readFile: (path: string) => Promise<string>,
): Promise<ApiAccess> {
  const { cluster, user } = currentContext(text, path);
  const part = async (data: string | undefined, file: string | undefined) => {
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    if (file === undefined) return undefined;
    return readFile(isAbsolute(file) ? file : join(dirname(path), file));
  };
  return {
    server: new URL(cluster.server),
    serverName: cluster['tls-server-name'],
    ca: await part(cluster['certificate-authority-data'], cluster['certificate-authority']),
    cert: await part(user['client-certificate-data'], user['client-certificate']),
    key: await part(user['client-key-data'], user['client-key']),
    token: user.token ?? (await part(undefined, user.tokenFile))?.trim(),
  };
}

function currentContext(text: string, path: string) {
  const config = parse(text, path);
  const find = <T extends { readonly name: string }>(list: readonly T[], name: string): T => {
    const found = list.find((each) => each.name === name);
    if (found !== undefined) return found;
    throw invalid('its current context is not whole', path);
  };
  const { context } = find(config.contexts, config['current-context']);
  return {
    cluster: find(config.clusters, context.cluster).cluster,
    user: find(config.users, context.user).user,
  };
}

function parse(text: string, path: string): z.infer<typeof schema> {
  try {
    const parsed = schema.safeParse(parseYaml(text));
    if (parsed.success) return parsed.data;
    const { message, path: field } = parsed.error.issues[0]!;
    throw invalid(`at ${field.join('.') || 'its top'}: ${message}`, path);
  } catch (reason) {
    if (reason instanceof YamlSyntaxError) throw invalid(reason.message, path);
    throw reason;
  }
}

function invalid(why: string, path: string): EtcdkeepError {
  return new EtcdkeepError('kubeconfig-invalid', `cannot use the kubeconfig: ${why}`, { path });
}
