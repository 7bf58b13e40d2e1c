// A kubeconfig: how one of its contexts reaches an API server. What it holds are credentials: nothing of
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
  /** Whether the server's certificate is not looked at. */
  readonly isInsecure: boolean;
  /** URL of a proxy for this server alone; it may hold a password. */
  readonly proxy: string | undefined;
  readonly basic: { readonly username: string; readonly password: string } | undefined;
  /** A program that gives the credentials. */
  readonly plugin: CredentialPlugin | undefined;
  /** Whom the user acts for. */
  readonly impersonate: Impersonation | undefined;
  /** Of the context. */
  readonly namespace: string | undefined;
}

export interface CredentialPlugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly installHint: string | undefined;
  /** `Never`, `IfAvailable` or `Always`: whether it may talk to whoever sits at the terminal. */
  readonly interactiveMode: string | undefined;
  readonly provideClusterInfo: boolean;
}

export interface Impersonation {
  readonly user: string;
  readonly groups: readonly string[];
  readonly uid: string | undefined;
}

/** One or more files of it, joined. */
export interface Kubeconfig {
  readonly currentContext: string | undefined;
  readonly contexts: ReadonlyMap<string, unknown>;
  readonly clusters: ReadonlyMap<string, unknown>;
  readonly users: ReadonlyMap<string, unknown>;
  /** Where its first file lies, for errors. */
  readonly path: string;
}

// k8s.io/client-go, tools/clientcmd/api/v1/types.go: Config, Cluster, AuthInfo, Context, ExecConfig. Lists may be null.
const named = z
  .array(z.looseObject({ name: z.string() }))
  .nullish()
  .transform((list) => list ?? []);
const fileSchema = z.object({
  'current-context': z.string().nullish(),
  contexts: named,
  clusters: named,
  users: named,
});
const contextSchema = z.object({
  cluster: z.string(),
  user: z.string().default(''),
  namespace: z.string().optional(),
});
const clusterSchema = z.object({
  server: z.url({ protocol: /^https$/ }),
  'certificate-authority': z.string().optional(),
  'certificate-authority-data': z.base64().optional(),
  'tls-server-name': z.string().optional(),
  'insecure-skip-tls-verify': z.boolean().default(false),
  'proxy-url': z.string().optional(),
});
const userSchema = z.object({
  'client-certificate': z.string().optional(),
  'client-certificate-data': z.base64().optional(),
  'client-key': z.string().optional(),
  'client-key-data': z.base64().optional(),
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  as: z.string().optional(),
  'as-uid': z.string().optional(),
  'as-groups': z.array(z.string()).default([]),
  'auth-provider': z.looseObject({ name: z.string() }).optional(),
  exec: z
    .object({
      apiVersion: z.string(),
      command: z.string(),
      args: z.array(z.string()).nullish(),
      env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
      installHint: z.string().optional(),
      interactiveMode: z.string().optional(),
      provideClusterInfo: z.boolean().default(false),
    })
    .optional(),
});

/** What it holds of each kind is under a name of its own: `- name: N, cluster: {...}`. */
const CONTENTS = { contexts: 'context', clusters: 'cluster', users: 'user' } as const;

/** What names a file, which is looked for where the kubeconfig lies. */
const FILE_FIELDS = ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile'];

/**
 * Reads the text of one file.
 * @param path where the text comes from: relative paths in it start there
 * @throws EtcdkeepError `kubeconfig-invalid`
 */
export function parseKubeconfig(text: string, path: string): Kubeconfig {
  const file = parse(text, path);
  const contentsOf = (kind: keyof typeof CONTENTS) =>
    new Map(
      file[kind].map((entry) => [entry.name, withPaths(entry[CONTENTS[kind]], dirname(path))]),
    );
  return {
    currentContext: file['current-context'] || undefined,
    contexts: contentsOf('contexts'),
    clusters: contentsOf('clusters'),
    users: contentsOf('users'),
    path,
  };
}

/** Joins files as kubectl does: of each name, and of the current context, the first one counts. */
export function mergeKubeconfigs([first, ...others]: readonly [Kubeconfig, ...Kubeconfig[]]) {
  return others.reduce<Kubeconfig>(
    (merged, next) => ({
      currentContext: merged.currentContext ?? next.currentContext,
      contexts: new Map([...next.contexts, ...merged.contexts]),
      clusters: new Map([...next.clusters, ...merged.clusters]),
      users: new Map([...next.users, ...merged.users]),
      path: merged.path,
    }),
    first,
  );
}

/**
 * How a context reaches its API server.
 * @param context undefined for the current one
 * @param readFile reads a file that it names
 * @throws EtcdkeepError `kubeconfig-invalid`, and what `readFile` throws
 */
export async function accessFor(
  config: Kubeconfig,
  context: string | undefined,
  readFile: (path: string) => Promise<string>,
): Promise<ApiAccess> {
  const { cluster, user, namespace } = contentsFor(config, context);
  const part = async (data: string | undefined, file: string | undefined) => {
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    return file === undefined ? undefined : readFile(file);
  };
  const { username, password = '', exec, as } = user;
  return {
    server: new URL(cluster.server),
    serverName: cluster['tls-server-name'],
    isInsecure: cluster['insecure-skip-tls-verify'],
    proxy: cluster['proxy-url'] || undefined,
    ca: await part(cluster['certificate-authority-data'], cluster['certificate-authority']),
    cert: await part(user['client-certificate-data'], user['client-certificate']),
    key: await part(user['client-key-data'], user['client-key']),
    // The file wins: a token beside it is the one of before (client-go, tools/clientcmd: getUserIdentificationPartialConfig).
    token: ((await part(undefined, user.tokenFile)) ?? user.token)?.trim(),
    basic: username === undefined ? undefined : { username, password },
    plugin: exec === undefined ? undefined : pluginOf(exec),
    impersonate:
      as === undefined ? undefined : { user: as, groups: user['as-groups'], uid: user['as-uid'] },
    namespace,
  };
}

/**
 * The current context of one text.
 * @throws EtcdkeepError `kubeconfig-invalid`, and what `readFile` throws
 */
export async function readKubeconfig(
  text: string,
  path: string,
  readFile: (path: string) => Promise<string>,
): Promise<ApiAccess> {
  return accessFor(parseKubeconfig(text, path), undefined, readFile);
}

function contentsFor(config: Kubeconfig, context: string | undefined) {
  const { path } = config;
  const name = context ?? config.currentContext;
  if (name === undefined) throw invalid('it has no current context', path);
  const whole = <T>(schema: z.ZodType<T>, kind: keyof typeof CONTENTS, key: string): T => {
    const found = config[kind].get(key);
    if (found === undefined && context !== undefined && kind === 'contexts') {
      throw invalid(`it has no context of the name that was given`, path);
    }
    if (found === undefined) throw invalid('its current context is not whole', path);
    return checked(schema, found, `${CONTENTS[kind]} in use`, path);
  };
  const { cluster, user, namespace } = whole(contextSchema, 'contexts', name);
  const found = user === '' ? userSchema.parse({}) : whole(userSchema, 'users', user);
  if (found['auth-provider'] !== undefined) {
    throw invalid('its user has an auth-provider, which kubectl has given up too', path);
  }
  return { cluster: whole(clusterSchema, 'clusters', cluster), user: found, namespace };
}

function pluginOf(exec: NonNullable<z.infer<typeof userSchema>['exec']>): CredentialPlugin {
  const { apiVersion, command, args, env, installHint, interactiveMode } = exec;
  return {
    apiVersion,
    command,
    args: args ?? [],
    env: env ?? [],
    installHint,
    interactiveMode,
    provideClusterInfo: exec.provideClusterInfo,
  };
}

/** Relative paths start where the file lies; so does a plugin that is named by more than its name. */
function withPaths(contents: unknown, directory: string): unknown {
  if (typeof contents !== 'object' || contents === null) return contents;
  const entries = Object.entries(contents).map(([key, value]: [string, unknown]) => {
    if (key === 'exec') return [key, withPaths(value, directory)];
    if (typeof value !== 'string' || value === '' || isAbsolute(value)) return [key, value];
    const isPath = FILE_FIELDS.includes(key) || (key === 'command' && value.includes('/'));
    return [key, isPath ? join(directory, value) : value];
  });
  return Object.fromEntries(entries);
}

function parse(text: string, path: string): z.infer<typeof fileSchema> {
  try {
    return checked(fileSchema, parseYaml(text), 'top', path);
  } catch (reason) {
    if (reason instanceof YamlSyntaxError) throw invalid(reason.message, path);
    throw reason;
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown, what: string, path: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { message, path: field } = parsed.error.issues[0]!;
  const place = field.length === 0 ? `its ${what}` : `${field.join('.')} of its ${what}`;
  throw invalid(`at ${place}: ${message}`, path);
}

function invalid(why: string, path: string): EtcdkeepError {
  return new EtcdkeepError('kubeconfig-invalid', `cannot use the kubeconfig: ${why}`, { path });
}
