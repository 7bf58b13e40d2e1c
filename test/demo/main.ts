// npm run demo: a real etcd with a cluster's data, a directory like a master's root, and a real backup of it, checked by
// etcd's own tools and by a drill. Then that etcd is lost, and every object comes back.

import { fileURLToPath } from 'node:url';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { createOpenshiftHost, type OpenshiftHost } from '../fixtures/openshift-host.ts';
import { prepareQuickest } from '../servers/binaries.ts';
import { type EtcdCluster, startEtcd } from '../servers/etcd.ts';
import type { EtcdBinaries } from '../servers/versions.ts';
import { checkBackup } from './check-backup.ts';
import { HostWithEtcd } from './host-with-etcd.ts';
import { etcdkeep, say } from './say.ts';

const HOME = fileURLToPath(new URL('../..', import.meta.url));
const BACKUPS = `${HOME}demo-output/backup`;
const SHOWN = 'demo-output/backup';
const NODE_NAME = 'ip-10-0-1-2.ec2.internal';

/** What is on the host and in its etcd. */
interface Scene {
  readonly binaries: EtcdBinaries;
  readonly cluster: EtcdCluster;
  readonly host: OpenshiftHost;
}

async function demo(): Promise<void> {
  say('1  an etcd: the quickest one to get');
  const found = await prepareQuickest();
  if ('reason' in found) throw new Error(`none can be had: ${found.reason}`);
  const { binaries } = found;
  await using cluster = await startEtcd({ version: binaries, tls: 'mutual', names: [NODE_NAME] });
  say(`   etcd ${binaries.version} (${binaries.source}) at ${cluster.endpoint}, with TLS`);

  say('2  a cluster: objects as Kubernetes stores them, changed, deleted, compacted');
  const data = await loadKubernetes(cluster.gateway, { objects: 2000, operations: 16 });
  const encrypted = [...data.live.values()].filter(({ plain, stored }) => !plain.equals(stored));
  say(
    `   ${data.live.size} objects at revision ${data.revision}, ${encrypted.length} of them encrypted`,
  );

  say('3  a host: a directory like the root of an OpenShift master');
  const host = await createOpenshiftHost(cluster, { nodeName: NODE_NAME });
  try {
    say(`   ${host.root}\n`);
    await backUpAndProve({ binaries, cluster, host });
    await loseAndRestore({ binaries, cluster, host });
  } finally {
    host.remove();
  }
}

async function backUpAndProve({ binaries, host }: Scene): Promise<void> {
  await etcdkeep(['backup', '--root', host.root, BACKUPS], `sudo etcdkeep backup ${SHOWN}`);
  say('\nchecked by others, who have never heard of us');
  const files = await checkBackup(BACKUPS, binaries, say);
  await etcdkeep(['verify', BACKUPS], `etcdkeep verify ${SHOWN}`);
  await etcdkeep(['drill', BACKUPS, '--etcd', binaries.etcd], `etcdkeep drill ${SHOWN}`);
  await etcdkeep(['list', BACKUPS], `etcdkeep list ${SHOWN}`);
  say(`\nmade      ${files.snapshot}\n          ${files.resources}\n          ${files.record}`);
}

async function loseAndRestore({ binaries, cluster, host }: Scene): Promise<void> {
  const { gateway } = cluster;
  const before = await gateway.list('');
  await using running = await HostWithEtcd.take(host, cluster, binaries);
  say('\n4  the worst night: things are made and deleted, and then the disk eats the database');
  for (let count = 1; count <= 30; count += 1) await gateway.put(`/kubernetes.io/new/${count}`, '');
  await gateway.delete(before[0]!.key);
  await running.loseDatabase();
  say(`   etcd is down: ${running.lastWords()}`);
  const restore = ['restore', '--root', host.root, '--yes', BACKUPS];
  await etcdkeep(restore, `sudo etcdkeep restore ${SHOWN}`);
  const after = await gateway.list('');
  const isBack =
    after.length === before.length &&
    after.every(({ key, value }, index) => {
      const { key: oldKey, value: oldValue } = before[index]!;
      return key.equals(oldKey) && value.equals(oldValue);
    });
  if (!isBack) throw new Error(`of ${before.length} objects ${after.length} are there, or others`);
  say(`\nevery object is back: ${after.length}, byte for byte, asked of the etcd that runs now`);
  say(`
try next  npm run demo                              another one, beside it
          bin/etcdkeep show ${SHOWN}      what is known of it
          bin/etcdkeep snapshot save --help         a snapshot of any member
          bin/etcdkeep backup --help                on a control-plane host of your own`);
}

try {
  await demo();
} catch (reason) {
  say(reason instanceof Error ? reason.message : String(reason));
  process.exitCode = 1;
}
