// Where a workstation has its kubeconfig, by the rules of kubectl (k8s.io/client-go, tools/clientcmd/loader.go and
// client_config.go): --kubeconfig, else the files in KUBECONFIG, else ~/.kube/config; in a pod, else, its service account.

import { join } from 'node:path';
import { readSmallFile } from '../base/durable-files.ts';
import { EtcdkeepError } from '../base/errors.ts';
import { leadsSomewhere } from '../base/exists.ts';
import {
  type ApiAccess,
  accessFor,
  type Kubeconfig,
  mergeKubeconfigs,
  parseKubeconfig,
} from './kubeconfig.ts';

export interface KubeconfigChoice {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Where a pod finds what its service account needs. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** One with the certificates of a hundred clusters in it has less. */
const MAX_BYTES = 16 << 20;

/**
 * Finds how the user reaches the API server.
 * @throws EtcdkeepError `kubeconfig-missing`, `kubeconfig-invalid`, `file-failed`
 */
export async function findApiAccess(choice: KubeconfigChoice): Promise<ApiAccess> {
  const { kubeconfig, context, env } = choice;
  const paths = pathsOf(kubeconfig, env);
  const found: Kubeconfig[] = [];
  for (const path of paths) {
    const text = await readIfThere(path);
    if (text !== undefined) found.push(parseKubeconfig(text, path));
    else if (kubeconfig !== undefined) throw missing('there is no such kubeconfig', [path]);
  }
  const [first, ...others] = found;
  if (first !== undefined && (first.contexts.size > 0 || others.length > 0)) {
    return await accessFor(mergeKubeconfigs([first, ...others]), context, readText);
  }
  const own = kubeconfig === undefined ? await serviceAccount(env) : undefined;
  if (own !== undefined) return own;
  throw missing('there is no kubeconfig', paths);
}

function pathsOf(kubeconfig: string | undefined, env: KubeconfigChoice['env']): string[] {
  if (kubeconfig !== undefined) return [kubeconfig];
  const listed = (env.KUBECONFIG ?? '').split(':').filter((path) => path !== '');
  if (listed.length > 0) return listed;
  return env.HOME === undefined ? [] : [join(env.HOME, '.kube/config')];
}

async function serviceAccount(env: KubeconfigChoice['env']): Promise<ApiAccess | undefined> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  const token = await readIfThere(join(SERVICE_ACCOUNT, 'token'));
  if (host === undefined || port === undefined || token === undefined) return undefined;
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    ca: await readIfThere(join(SERVICE_ACCOUNT, 'ca.crt')),
    token: token.trim(),
    namespace: (await readIfThere(join(SERVICE_ACCOUNT, 'namespace')))?.trim(),
    cert: undefined,
    key: undefined,
    serverName: undefined,
    isInsecure: false,
    proxy: undefined,
    basic: undefined,
    plugin: undefined,
    impersonate: undefined,
  };
}

async function readText(path: string): Promise<string> {
  return (await readSmallFile(path, `read ${path}`, MAX_BYTES)).toString('utf8');
}

async function readIfThere(path: string): Promise<string | undefined> {
  return (await leadsSomewhere(path)) ? await readText(path) : undefined;
}

function missing(why: string, paths: readonly string[]): EtcdkeepError {
  return new EtcdkeepError('kubeconfig-missing', why, {
    ...(paths.length === 0 ? {} : { path: paths.join(':') }),
    advice: 'name one with --kubeconfig or KUBECONFIG; oc login and kubectl make ~/.kube/config',
  });
}
