// npm run demo: a real etcd with a cluster's data, a directory like a master's root, and a real
// backup of it, checked afterwards from the files alone and by etcd's own tools.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { loadKubernetes } from '../fixtures/kubernetes-objects.ts';
import { createOpenshiftHost, type OpenshiftHost } from '../fixtures/openshift-host.ts';
import { prepareQuickest } from '../servers/binaries.ts';
import { startEtcd } from '../servers/etcd.ts';
import type { EtcdBinaries } from '../servers/versions.ts';
import { checkBackup } from './check-backup.ts';

const HOME = fileURLToPath(new URL('../..', import.meta.url));
const ETCDKEEP = `${HOME}bin/etcdkeep`;
const BACKUPS = `${HOME}demo-output/backup`;
const NODE_NAME = 'ip-10-0-1-2.ec2.internal';

const say = (text: string): void => console.error(text);

async function demo(): Promise<number> {
  say('1  an etcd: the quickest one to get');
  const found = await prepareQuickest();
  if ('reason' in found) {
    say(`   none can be had: ${found.reason}`);
    return 1;
  }
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
    return await backUpAndCheck(host, binaries);
  } finally {
    host.remove();
  }
}

async function backUpAndCheck(host: OpenshiftHost, binaries: EtcdBinaries): Promise<number> {
  say(`   ${host.root}\n`);
  say(`$ sudo etcdkeep backup --root ${host.root} demo-output/backup`);
  const { status } = spawnSync(ETCDKEEP, ['backup', '--root', host.root, BACKUPS], {
    stdio: 'inherit',
  });
  if (status !== 0) return status ?? 1;

  say('\nchecked by others, who have never heard of us');
  const files = await checkBackup(BACKUPS, binaries, say);
  say('\n$ etcdkeep verify demo-output/backup');
  const verified = spawnSync(ETCDKEEP, ['verify', BACKUPS], { stdio: 'inherit' });
  if (verified.status !== 0) return verified.status ?? 1;
  say('\n$ etcdkeep list demo-output/backup');
  const listed = spawnSync(ETCDKEEP, ['list', BACKUPS], { stdio: 'inherit' });
  if (listed.status !== 0) return listed.status ?? 1;
  say(`
made      ${files.snapshot}
          ${files.resources}
          ${files.record}
          in ${BACKUPS}
try next  npm run demo                                   another one, beside it
          tar -tzf demo-output/backup/${files.resources}
          bin/etcdkeep show demo-output/backup           what is known of it
          bin/etcdkeep snapshot save --help              a snapshot of any member
          bin/etcdkeep backup --help                     on a control-plane host of your own`);
  return 0;
}

process.exitCode = await demo();
