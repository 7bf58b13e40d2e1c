// What deploy/ ships for backups that nobody takes by hand, as systemd and Prometheus read it. That it works is tried on a real
// node (test/node/deploy.test.ts).
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { imageName } from '../../scripts/build/image.ts';
import { VERSION } from '../../src/cli/version.ts';
import { type CommandResult, runCommand } from '../servers/command.ts';
import { describeNotRun, describeWithPromtool } from '../servers/for-vitest.ts';
import { findOnPath } from '../servers/processes.ts';
import { runPromtool } from '../servers/promtool.ts';
import { directoryForTest } from './scene.ts';
import { readUnit, SERVICE, TIMER, unitText } from './systemd-unit.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));

/** Of a distribution, which the units refer to. */
const SYSTEM_UNITS = '/usr/lib/systemd/system';

describe('the CronJob', () => {
  const [job] = parseAllDocuments(readFileSync(join(DEPLOY, 'cronjob.yaml'), 'utf8'))
    .map((one) => one.toJS() as { kind: string; spec: never })
    .filter(({ kind }) => kind === 'CronJob');

  it('runs the image that `npm run build` makes of this version', () => {
    expect(JSON.stringify(job)).toContain(`"image":"${imageName(VERSION)}"`);
  });
});

describe('the timer', () => {
  it('makes up for what was missed, and is not on time everywhere', () => {
    const timer = readUnit(TIMER);
    expect(timer('Persistent')).toEqual(['yes']);
    expect(timer('RandomizedDelaySec')).toEqual(['10min']);
  });
});

const analyze = findOnPath('systemd-analyze');
const describeWithSystemd = (name: string, body: () => void): void => {
  if (analyze !== undefined) describe(name, body);
  else describeNotRun(name, { server: 'systemd-analyze', reason: 'it is not on the PATH' }, body);
};

describeWithSystemd('systemd', () => {
  /** Verifies the units on a host that has what they run. */
  const verify = (service: string): Promise<CommandResult> => {
    const root = directoryForTest();
    const put = (path: string, text: string, mode: number): void => {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), text);
      chmodSync(join(root, path), mode);
    };
    cpSync(SYSTEM_UNITS, join(root, SYSTEM_UNITS), { recursive: true, verbatimSymlinks: true });
    for (const program of ['usr/local/bin/etcdkeep', 'usr/bin/mkdir']) put(program, '', 0o755);
    put(`etc/systemd/system/${SERVICE}`, service, 0o644);
    put(`etc/systemd/system/${TIMER}`, unitText(TIMER), 0o644);
    return runCommand(analyze!, ['verify', '--man=no', `--root=${root}`, SERVICE, TIMER]);
  };

  it('has nothing to say against the units', async () => {
    expect(await verify(unitText(SERVICE))).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('would have, of a word that it does not know', async () => {
    const { stderr } = await verify(unitText(SERVICE).replace('Type=oneshot', 'Type=once'));
    expect(stderr).toContain('Failed to parse service type');
  });
});

/** Values of a series, one each five minutes from the beginning of time on. */
type Series = Readonly<Record<string, string>>;

describeWithPromtool('the alerts', () => {
  const success = 'etcdkeep_backup_last_success_timestamp_seconds';
  const attempt = 'etcdkeep_backup_last_attempt_timestamp_seconds';
  const cronJob =
    'kube_cronjob_status_last_successful_time{namespace="etcdkeep",cronjob="etcdkeep-backup"}';

  /** Whether an alert is raised at an hour. */
  const expectAlert = async (
    alert: string,
    hour: number,
    series: Series,
    isRaised: boolean,
  ): Promise<void> => {
    const file = join(directoryForTest(), 'test.yaml');
    const test = {
      rule_files: [join(DEPLOY, 'alerts.yaml')],
      evaluation_interval: '5m',
      tests: [
        {
          interval: '5m',
          input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
          promql_expr_test: [
            {
              expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
              eval_time: `${hour}h`,
              exp_samples: isRaised ? [{ labels: '{}', value: 1 }] : [],
            },
          ],
        },
      ],
    };
    writeFileSync(file, JSON.stringify(test));
    const { code, stdout, stderr } = await runPromtool(['test', 'rules', file]);
    expect(code, stdout + stderr).toBe(0);
  };

  it('are rules of Prometheus', async () => {
    const outcome = await runPromtool(['check', 'rules', join(DEPLOY, 'alerts.yaml')]);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(outcome.stdout).toContain('SUCCESS: 4 rules found');
  });

  it.each([
    ['a day after the backup nothing is raised', 'EtcdBackupTooOld', 25, { [success]: '0x720' }, 0],
    ['two days after it, it is too old', 'EtcdBackupTooOld', 48, { [success]: '0x720' }, 1],
    [
      'one of any host will do',
      'EtcdBackupTooOld',
      48,
      { [`${success}{instance="a"}`]: '0x720', [`${success}{instance="b"}`]: '86400x720' },
      0,
    ],
    ['where nobody tells of any, that is said', 'EtcdBackupUnknown', 2, {}, 1],
    ['where somebody does, it is not', 'EtcdBackupUnknown', 2, { [success]: '0x720' }, 0],
    [
      'a failed run is told of',
      'EtcdBackupFailed',
      30,
      { [success]: '0x720', [attempt]: '0x300 90000x420' },
      1,
    ],
    [
      'one that another host has made up for is not',
      'EtcdBackupFailed',
      30,
      {
        [`${success}{instance="a"}`]: '0x720',
        [`${attempt}{instance="a"}`]: '86400x720',
        [`${success}{instance="b"}`]: '86460x720',
        [`${attempt}{instance="b"}`]: '86460x720',
      },
      0,
    ],
    ['of the CronJob too', 'EtcdBackupCronJobTooOld', 48, { [cronJob]: '0x720' }, 1],
  ] as const)('%s', async (_, alert, hour, series, raised) => {
    await expectAlert(alert, hour, series, raised === 1);
  });
});
