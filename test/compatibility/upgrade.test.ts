// A cluster in the middle of an upgrade: the new member's database is still of the old version, and
// what etcdkeep prints of it is nevertheless what the new version's tool prints.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCli } from '../cli/run.ts';
import { flagsFor } from '../cli/scene.ts';
import { createOpenshiftHost } from '../fixtures/openshift-host.ts';
import type { CommandResult } from '../servers/command.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import { EtcdCluster } from '../servers/etcd.ts';
import { describeWithEtcd } from '../servers/for-vitest.ts';
import { CertificateAuthority } from '../servers/pki.ts';
import type { EtcdVersion } from '../servers/versions.ts';
import { createMember } from './members.ts';
import type { Printed } from './samples.ts';
import { printedStatus, type ToolStatus, toolsOf } from './tools.ts';

const UPGRADES = [
  ['3.4.23', '3.5.35'],
  ['3.5.35', '3.6.16'],
  ['3.6.16', '3.7.3'],
] as const;

for (const [before, after] of UPGRADES) {
  describeWithEtcd(before, `among members of etcd ${before}`, () => {
    describeWithEtcd(after, `one of etcd ${after}`, () => describeUpgrade(before, after));
  });
}

function describeUpgrade(before: EtcdVersion, after: EtcdVersion): void {
  const tool = toolsOf(after).at(-1)!;
  const started = new AsyncDisposableStack();
  let directory: string;
  let cluster: EtcdCluster;
  beforeAll(async () => {
    directory = temporaryDirectory();
    cluster = started.use(await createMixed(directory, [after, before, before]));
    const { members } = cluster;
    for (const member of members) member.start(members, 'new');
    await Promise.all(members.map((member) => member.waitUntilHealthy()));
    await cluster.gateway.put('/one', 'key');
  });
  afterAll(() => started.disposeAsync());

  it('snapshot save: hash, revision, totalKey and totalSize are those of its tool', async () => {
    const file = join(directory, 'snapshot.db');
    const flags = [...flagsFor(cluster.member), '--output=json'];
    const { stdout } = succeeded(await runCli(['snapshot', 'save', file, ...flags]));
    const { hash, revision, totalKey, totalSize } = JSON.parse(stdout) as Printed;
    const status = JSON.parse(await printedStatus(tool, file)) as ToolStatus;
    expect(status).toMatchObject({ hash, revision: Number(revision), totalKey, totalSize });
  });

  it('backup: prints the line of its tool', async () => {
    const host = await createOpenshiftHost(cluster);
    started.defer(() => host.remove());
    const backups = join(directory, 'backup');
    const { stdout } = succeeded(await runCli(['backup', `--root=${host.root}`, backups]));
    const file = /^Snapshot saved at (.+)$/m.exec(stdout)![1]!;
    expect(stdout).toContain(`\n${await printedStatus(tool, file)}`);
  });
}

/** A cluster with a member of each version, which is still to be started; it speaks mutual TLS. */
async function createMixed(
  directory: string,
  versions: readonly EtcdVersion[],
): Promise<EtcdCluster> {
  const authority = await CertificateAuthority.create(join(directory, 'pki'));
  const members = await Promise.all(
    versions.map((version, index) =>
      createMember({ version, name: `etcd-${index}`, directory, authority }),
    ),
  );
  return new EtcdCluster(directory, members, undefined, authority);
}

function succeeded(outcome: CommandResult): CommandResult {
  expect(outcome).toMatchObject({ code: 0 });
  return outcome;
}
