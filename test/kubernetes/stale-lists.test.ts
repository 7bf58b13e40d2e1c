// The wrong state after a restore that does not raise revisions: the API server goes on listing what is gone, and is ready. A
// workstation has only the API server itself to find that out.
import { rename, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { compareAt } from '../../src/backup/restore/api-servers.ts';
import { compareWithReads } from '../../src/backup/restore/stale-lists.ts';
import { type ApiServer, startApiServer } from '../servers/api-server.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import type { EtcdCluster } from '../servers/etcd.ts';
import { describeWithApiServer, etcdForSuite } from '../servers/for-vitest.ts';
import { CertificateAuthority } from '../servers/pki.ts';
import { clientsForSuite } from './for-suite.ts';

const NAMESPACES = '/api/v1/namespaces';
const CONFIGMAPS = '/api/v1/namespaces/kube-system/configmaps';
const AHEAD = `the revision of ${NAMESPACES}, which etcd has not reached`;

// Up to 1.33, and with that OpenShift up to 4.20, a list at an exact revision comes from etcd.
const RELEASES = [
  ['as from 1.34 on', []],
  ['as up to 1.33', ['--feature-gates=ListFromCacheSnapshot=false']],
] as const;

describeWithApiServer('lists after a restore that does not raise revisions', () => {
  describe.each(RELEASES)('of an API server %s', (_, flags) => {
    const etcd = etcdForSuite({ version: '3.6.16', tls: 'mutual' });
    let server: ApiServer | undefined;
    let authority: CertificateAuthority | undefined;
    const api = (): ApiServer => server!;
    const make = clientsForSuite(api);
    const staleOf = async () => (await compareWithReads(await make())).stale;
    const namespace = (name: string) =>
      api()
        .request('POST', NAMESPACES, namespaceObject(name))
        .then(() => undefined);

    beforeAll(async () => {
      authority = await CertificateAuthority.create(temporaryDirectory(), 'kube-ca');
      server = await startApiServer(etcd(), { flags, authority });
    }, 60_000);
    afterAll(() => server?.stop());

    it('agree before it, while things come and go', async () => {
      const over = new AbortController();
      const changing = (async () => {
        for (let count = 0; !over.signal.aborted; count += 1) {
          await api().apply(`${CONFIGMAPS}/busy`, configMap('busy', `${count}`));
          await api().request('POST', CONFIGMAPS, configMap(`fleeting-${count}`, ''));
          await api().request('DELETE', `${CONFIGMAPS}/fleeting-${count}`);
        }
      })();
      const compared = await compareWithReads(await make()).finally(() => {
        over.abort();
        return changing;
      });
      expect(compared.stale).toEqual([]);
      expect(compared.compared).toBeGreaterThan(5);
    });

    it('are found out: what is gone, what is older, and what came back', async () => {
      await namespace('came-back');
      await api().apply(`${CONFIGMAPS}/changed`, configMap('changed', 'in the backup'));
      const snapshot = `${etcd().member.dataDir}.db`;
      await etcd().member.etcdctl(['snapshot', 'save', snapshot]);
      await namespace('ghost');
      await api().apply(`${CONFIGMAPS}/changed`, configMap('changed', 'since'));
      // Nothing ends a namespace here but a request to its finalizer.
      await api().request('DELETE', `${NAMESPACES}/came-back`);
      const ended = { ...namespaceObject('came-back'), spec: { finalizers: [] } };
      await api().request('PUT', `${NAMESPACES}/came-back/finalize`, ended);
      await vi.waitFor(async () => {
        const names = await listedNames(api());
        expect(names).toContain('ghost');
        expect(names).not.toContain('came-back');
      });
      await restorePlainly(etcd(), snapshot);
      await vi.waitFor(async () => expect(await api().isReady()).toBe(true), {
        timeout: 30_000,
        interval: 100,
      });
      // That is the state: it is ready, and lists what is not there.
      expect(await listedNames(api())).toContain('ghost');
      const stale = await staleOf();
      expect(stale).toContain(`${NAMESPACES}/ghost`);
      expect(stale).toContain(`${CONFIGMAPS}/changed`);
      expect(stale).toContain(AHEAD);
    });

    it('are found out also when etcd has come to those revisions by other ways', async () => {
      const { gateway } = etcd().member;
      const until = BigInt(await listedRevision(api())) + 10n;
      while ((await gateway.revision()) < until) await gateway.put('/elsewhere', 'x');
      const stale = await staleOf();
      expect(stale).not.toContain(AHEAD);
      expect(stale).toContain(`${NAMESPACES}/ghost`);
      // What the cache has never heard of nobody can name, unless a list comes from etcd.
      if (flags.length > 0) expect(stale).toContain(`${NAMESPACES}/came-back`);
    });

    it('are named with the API server that they are of, where another one is well', async () => {
      await using another = new AsyncDisposableStack();
      const fresh = await startApiServer(etcd(), { flags, authority: authority! });
      another.defer(() => fresh.stop());
      const [old, well] = [api(), fresh].map(({ url }) => new URL(url).host);
      const servers = [old!, well!];
      const found = await compareAt(await make(), servers);
      expect(found.servers).toEqual({ asked: servers, unasked: [] });
      expect(found.stale).toContain(`${NAMESPACES}/ghost (${old!})`);
      expect(found.stale.filter((name) => name.includes(well!))).toEqual([]);
      // The port where nobody listens.
      const closed = well!.replace(':6443', ':6444');
      const partly = await compareAt(await make(), [closed, well!]);
      expect(partly.servers).toEqual({ asked: [well], unasked: [closed] });
      expect(partly.stale).toEqual([]);
      const given = await compareAt(await make(), [closed, closed]);
      expect(given.servers).toEqual({ asked: [], unasked: [closed, closed] });
      expect(given.stale).toContain(`${NAMESPACES}/ghost`);
    });

    it('agree again once the API server was restarted', async () => {
      await api().stop();
      server = await startApiServer(etcd(), { flags });
      expect(await staleOf()).toEqual([]);
      expect(await listedNames(api())).toContain('came-back');
    });
  });
});

async function listedNames(api: ApiServer): Promise<string[]> {
  const { items } = (await api.request('GET', `${NAMESPACES}?resourceVersion=0`)) as {
    items: { metadata: { name: string } }[];
  };
  return items.map(({ metadata }) => metadata.name);
}

async function listedRevision(api: ApiServer): Promise<string> {
  const { metadata } = (await api.request('GET', `${NAMESPACES}?resourceVersion=0`)) as {
    metadata: { resourceVersion: string };
  };
  return metadata.resourceVersion;
}

/** As etcdutl does it by default: revisions go on where the backup has them. */
async function restorePlainly({ member }: EtcdCluster, snapshot: string): Promise<void> {
  await member.kill();
  const made = await member.etcdutl([
    ...['snapshot', 'restore', snapshot, `--name=${member.name}`],
    `--initial-cluster=${member.name}=${member.peerUrl}`,
    `--initial-advertise-peer-urls=${member.peerUrl}`,
    `--data-dir=${member.dataDir}-new`,
  ]);
  expect(made.code, made.stderr).toBe(0);
  await rm(member.dataDir, { recursive: true });
  await rename(`${member.dataDir}-new`, member.dataDir);
  await member.restart();
}

function namespaceObject(name: string) {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

function configMap(name: string, value: string) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } };
}
