// Whom a member's certificate is believed from where no --cacert is named: the authorities of the system, as etcdctl does.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCommand } from '../servers/command.ts';
import { binariesOf } from '../servers/etcd.ts';
import { describeWithEtcd, etcdForSuite } from '../servers/for-vitest.ts';
import { expectFailure } from './failure.ts';
import { runCli } from './run.ts';
import { directoryForTest } from './scene.ts';

const VERSION = '3.6.16';

describeWithEtcd(VERSION, 'a certificate of an authority that is not named', () => {
  const etcd = etcdForSuite({ version: VERSION, tls: 'mutual' });

  const line = (path: string) => {
    const { client } = etcd().member.tls!;
    return [
      ...['snapshot', 'save', path, `--endpoints=${etcd().endpoint}`],
      ...[`--cert=${client.cert}`, `--key=${client.key}`],
    ];
  };

  it("is believed where it is one of the system's", async () => {
    // Go and Node read the file that this variable names in the place of the system's own.
    const env = { SSL_CERT_FILE: etcd().member.tls!.ca };
    const { etcdctl } = await binariesOf(VERSION);
    const theirs = await runCommand(etcdctl, line(join(directoryForTest(), 'their.db')), { env });
    expect(theirs.code, theirs.stderr).toBe(0);
    const ours = await runCli(line(join(directoryForTest(), 'our.db')), { env });
    expect(ours.code, ours.stderr).toBe(0);
  });

  it('is not believed where the system does not know it', async () => {
    const outcome = await runCli(line(join(directoryForTest(), 'our.db')));
    expectFailure(outcome, 'tls-authority-unknown');
  });
});
