// Servers in vitest: stopped with their test, and never passed over in silence. A test whose server
// cannot be had is skipped with the reason, which the reporter repeats at the end.
import { afterAll, beforeAll, describe, onTestFinished } from 'vitest';
import { type ApiServer, type ApiServerOptions, startApiServer } from './api-server.ts';
import { BBOLT_VERSION, findBbolt } from './bbolt.ts';
import { findRelease } from './binaries.ts';
import { type EtcdCluster, type EtcdOptions, startEtcd } from './etcd.ts';
import { findApiServer, KUBERNETES_VERSION } from './kubernetes.ts';
import { findPromtool } from './promtool.ts';
import { ETCD_VERSIONS, type EtcdVersion } from './versions.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** Why the tests below were not run. */
    notRun?: { readonly server: string; readonly reason: string };
  }
}

const releases = new Map(
  await Promise.all(
    ETCD_VERSIONS.map(async (version) => [version, await findRelease(version)] as const),
  ),
);

const apiServer = await findApiServer();
const bbolt = await findBbolt();
const promtool = await findPromtool();

/** Describes something once for each version: `describeEachVersion('snapshot', (version) => ...)`. */
export function describeEachVersion(
  name: string,
  body: (version: EtcdVersion) => void,
  versions: readonly EtcdVersion[] = ETCD_VERSIONS,
): void {
  for (const version of versions) {
    describeWithEtcd(version, `${name}, etcd ${version}`, () => body(version));
  }
}

/** Describes something that needs one version; its tests are skipped if that cannot be had. */
export function describeWithEtcd(version: EtcdVersion, name: string, body: () => void): void {
  const found = releases.get(version)!;
  if ('binaries' in found) {
    describe(name, body);
    return;
  }
  const { reason } = found;
  describeNotRun(name, { server: `etcd ${version}`, reason }, body);
}

/** Describes something that needs an API server; its tests are skipped if that cannot be had. */
export function describeWithApiServer(name: string, body: () => void): void {
  if ('path' in apiServer) describe(name, body);
  else describeNotRun(name, { server: `kube-apiserver ${KUBERNETES_VERSION}`, ...apiServer }, body);
}

/** Describes something that needs bbolt's own command; its tests are skipped if that cannot be had. */
export function describeWithBbolt(name: string, body: () => void): void {
  if ('path' in bbolt) describe(name, body);
  else describeNotRun(name, { server: `bbolt ${BBOLT_VERSION}`, ...bbolt }, body);
}

/** Describes something that needs Prometheus' own reader; its tests are skipped if that cannot be had. */
export function describeWithPromtool(name: string, body: () => void): void {
  if ('path' in promtool) describe(name, body);
  else describeNotRun(name, { server: 'promtool', ...promtool }, body);
}

/** Describes something that cannot be run here, and for what reason. */
export function describeNotRun(
  name: string,
  notRun: { readonly server: string; readonly reason: string },
  body: () => void,
): void {
  describe(`${name} (not run: ${notRun.reason})`, { skip: true, meta: { notRun } }, body);
}

/** Starts a cluster that is stopped when the running test has finished. */
export async function etcdForTest(options: EtcdOptions): Promise<EtcdCluster> {
  const cluster = await startEtcd(options);
  onTestFinished(() => cluster.stop());
  return cluster;
}

/**
 * Starts one cluster for all tests of the describe block it is called in.
 * @returns a function that gives the cluster, for use inside tests and later hooks
 */
export function etcdForSuite(options: EtcdOptions): () => EtcdCluster {
  let cluster: EtcdCluster | undefined;
  beforeAll(async () => {
    cluster = await startEtcd(options);
  });
  afterAll(() => cluster?.stop());
  return () => {
    if (cluster === undefined) throw new Error('the cluster runs only while tests do');
    return cluster;
  };
}

/** The same for an API server that stores in a cluster. */
export function apiServerForSuite(
  etcd: () => EtcdCluster,
  options?: ApiServerOptions,
): () => ApiServer {
  let server: ApiServer | undefined;
  beforeAll(async () => {
    server = await startApiServer(etcd(), options);
  }, 60_000);
  afterAll(() => server?.stop());
  return () => {
    if (server === undefined) throw new Error('the API server runs only while tests do');
    return server;
  };
}
