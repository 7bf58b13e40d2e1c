import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BackupMetrics,
  decodeMetrics,
  type EndedRun,
  encodeMetrics,
  metricsAfter,
} from './metrics.ts';

const BACKUP = { snapshotBytes: 1_282_764_832, resourcesBytes: 87_040, revision: '420740' };
const good = (began: number): EndedRun => ({
  began: new Date(began),
  durationMs: 8123.4,
  exitCode: 0,
  backup: BACKUP,
});
const failed = (began: number, exitCode: number): EndedRun => ({
  began: new Date(began),
  durationMs: 30_000,
  exitCode,
  backup: undefined,
});

const MONDAY = Date.parse('2026-11-23T14:53:01.123Z');
const TUESDAY = MONDAY + 86_400_000;

/** What a reader of the file sees after these runs, one after the other. */
function seenAfter(...runs: readonly EndedRun[]): BackupMetrics {
  return runs.reduce<BackupMetrics>(
    (before, run) => decodeMetrics(encodeMetrics(metricsAfter(before, run)))!,
    {},
  );
}

describe('the metrics of backups', () => {
  it('after a good run tell of it', () => {
    expect(encodeMetrics(metricsAfter({}, good(MONDAY)))).toMatchInlineSnapshot(`
      "# HELP etcdkeep_backup_last_attempt_timestamp_seconds When the last run began, in seconds since 1970.
      # TYPE etcdkeep_backup_last_attempt_timestamp_seconds gauge
      etcdkeep_backup_last_attempt_timestamp_seconds 1795445581.123
      # HELP etcdkeep_backup_last_success_timestamp_seconds When the last run began that ended with a backup, in seconds since 1970.
      # TYPE etcdkeep_backup_last_success_timestamp_seconds gauge
      etcdkeep_backup_last_success_timestamp_seconds 1795445581.123
      # HELP etcdkeep_backup_duration_seconds How long the last run took.
      # TYPE etcdkeep_backup_duration_seconds gauge
      etcdkeep_backup_duration_seconds 8.123
      # HELP etcdkeep_backup_last_exit_code What the last run ended with.
      # TYPE etcdkeep_backup_last_exit_code gauge
      etcdkeep_backup_last_exit_code 0
      # HELP etcdkeep_backup_verdict 1 if the last run ended with a backup that was proven, 0 if it did not.
      # TYPE etcdkeep_backup_verdict gauge
      etcdkeep_backup_verdict 1
      # HELP etcdkeep_backup_failures_total Runs that ended without a backup.
      # TYPE etcdkeep_backup_failures_total counter
      etcdkeep_backup_failures_total 0
      # HELP etcdkeep_backup_snapshot_bytes Size of the snapshot of the last backup.
      # TYPE etcdkeep_backup_snapshot_bytes gauge
      etcdkeep_backup_snapshot_bytes 1282764832
      # HELP etcdkeep_backup_resources_bytes Size of the archive of static resources of the last backup.
      # TYPE etcdkeep_backup_resources_bytes gauge
      etcdkeep_backup_resources_bytes 87040
      # HELP etcdkeep_backup_revision Revision of etcd that the last backup has.
      # TYPE etcdkeep_backup_revision gauge
      etcdkeep_backup_revision 420740
      "
    `);
  });

  it('after a failed run still tell of the last backup', () => {
    const seen = seenAfter(good(MONDAY), failed(TUESDAY, 3));
    expect(seen).toMatchObject({
      etcdkeep_backup_last_attempt_timestamp_seconds: `${TUESDAY / 1000}`,
      etcdkeep_backup_last_success_timestamp_seconds: `${MONDAY / 1000}`,
      etcdkeep_backup_last_exit_code: '3',
      etcdkeep_backup_verdict: '0',
      etcdkeep_backup_failures_total: '1',
      etcdkeep_backup_snapshot_bytes: '1282764832',
      etcdkeep_backup_revision: '420740',
    });
  });

  it('count failures on, over good runs', () => {
    const runs = [failed(MONDAY, 1), good(MONDAY), failed(TUESDAY, 143), good(TUESDAY)];
    expect(seenAfter(...runs)).toMatchObject({
      etcdkeep_backup_failures_total: '2',
      etcdkeep_backup_verdict: '1',
    });
  });

  it('where there was never a backup, tell of none', () => {
    const seen = seenAfter(failed(MONDAY, 1));
    expect(Object.keys(seen).filter((name) => /success|bytes|revision/.test(name))).toEqual([]);
  });

  it('that are no count begin one', () => {
    for (const count of ['1.5', '9'.repeat(20)]) {
      const before = decodeMetrics(`etcdkeep_backup_failures_total ${count}\n`)!;
      expect(metricsAfter(before, failed(MONDAY, 1)).etcdkeep_backup_failures_total).toBe('1');
    }
  });
});

describe('a file of metrics', () => {
  it('with names of a later version is read', () => {
    const text = `${encodeMetrics(metricsAfter({}, good(MONDAY)))}etcdkeep_backup_new 7\n`;
    expect(decodeMetrics(text)).toEqual(metricsAfter({}, good(MONDAY)));
  });

  it.each([
    'root:x:0:0:root:/root:/bin/bash\n',
    'node_load1 0.21\n',
    '# what the night shift has to know\n',
    'etcdkeep_backup_revision 1e400\n',
    'etcdkeep_backup_revision{host="a"} 1\n',
    'etcdkeep_backup_revision -1\n',
    'etcdkeep_backup_revision\n',
    '\0\0\0\0',
  ])('that is none of ours is known: %j', (text) => expect(decodeMetrics(text)).toBeUndefined());

  it('that was only begun is an empty one', () => expect(decodeMetrics('')).toEqual({}));

  it('reads as it was written, whatever the runs', () => {
    const time = fc.integer({ min: 0, max: 8.64e15 });
    const backup = fc.record({
      snapshotBytes: fc.maxSafeNat(),
      resourcesBytes: fc.maxSafeNat(),
      revision: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
    });
    const run: fc.Arbitrary<EndedRun> = fc.record({
      began: time.map((milliseconds) => new Date(milliseconds)),
      durationMs: fc.double({ min: 0, max: 1e12, noNaN: true }),
      exitCode: fc.nat(255),
      backup: fc.option(backup, { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(run, { minLength: 1 }), (runs) => {
        const seen = seenAfter(...runs);
        const failures = runs.filter((one) => one.backup === undefined).length;
        expect(seen.etcdkeep_backup_failures_total).toBe(`${failures}`);
        const last = runs.findLast((one) => one.backup !== undefined);
        expect(seen.etcdkeep_backup_revision).toBe(last?.backup?.revision);
      }),
    );
  });

  it('of any text is read, or is none of ours', () => {
    const line = fc.constantFrom(...encodeMetrics(metricsAfter({}, good(MONDAY))).split('\n'));
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => {
        const seen = decodeMetrics(lines.join('\n'));
        if (seen === undefined) return;
        expect(decodeMetrics(encodeMetrics(seen))).toEqual(seen);
      }),
    );
  });
});
