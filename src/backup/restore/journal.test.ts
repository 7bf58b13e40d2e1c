import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { EtcdkeepError } from '../../base/errors.ts';
import { Host } from '../../controlplane/host.ts';
import { isUnfinished, Journal, knownRestores, RESTORES, STEPS } from './journal.ts';
import type { RestorePlan } from './plan.ts';

const STAMP = '20261123-170200';
// What a journal looks at of it.
const PLAN = { version: 1, stamp: STAMP } as RestorePlan;
const NOW = new Date('2026-11-23T17:02:00Z');

describe('a journal', () => {
  let host: Host;
  beforeEach(() => {
    const root = mkdtempSync(join(tmpdir(), 'etcdkeep-test-'));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    mkdirSync(join(root, 'var/lib'), { recursive: true });
    host = new Host(root, 'openshift');
  });

  const file = (): string => host.realPath(join(RESTORES, STAMP, 'journal'));

  async function written(): Promise<string> {
    const journal = await Journal.create(host, PLAN);
    const built = { files: { 'snap/db': '1:2:3:4' }, staging: [], sample: [] };
    for (const step of STEPS.slice(0, 4)) {
      await journal.add({ step, state: 'begun' }, NOW);
      await journal.add({ step, state: 'done', ...(step === 'build' && { built }) }, NOW);
    }
    await journal.add({ step: 'rollback', state: 'begun' }, NOW);
    await journal.add({ step: 'data', state: 'undone' }, NOW);
    await journal.close();
    return readFileSync(file(), 'utf8');
  }

  it('tells how far a run has come, and what was built', async () => {
    await written();
    const [known] = await knownRestores(host);
    expect([...known!.state.done]).toEqual(['build', 'stop', 'keep']);
    expect(known!.state.rollback).toBe('begun');
    expect(known!.state.built?.files).toEqual({ 'snap/db': '1:2:3:4' });
    expect(isUnfinished(known!.state)).toBe(true);
  });

  it('cut off anywhere is that of the lines that are whole', async () => {
    const text = await written();
    const lines = text.split('\n');
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length), async (length) => {
        writeFileSync(file(), text.slice(0, length));
        const whole = text.slice(0, length).split('\n').length - 1;
        const journal = await Journal.open(host, STAMP);
        await journal.add({ step: 'start', state: 'begun' }, NOW);
        await journal.close();
        const now = readFileSync(file(), 'utf8').trimEnd().split('\n');
        expect(now.slice(0, -1)).toEqual(lines.slice(0, whole));
        expect(JSON.parse(now.at(-1)!)).toEqual({
          at: NOW.toISOString(),
          step: 'start',
          state: 'begun',
        });
      }),
      { numRuns: 100 },
    );
  });

  it('whatever is in it, it is read or called invalid', async () => {
    const text = await written();
    const changed = fc.oneof(
      fc.string().map((line) => `${line}\n`),
      fc
        .tuple(fc.nat(text.length - 1), fc.string({ maxLength: 3 }))
        .map(([at, put]) => text.slice(0, at) + put + text.slice(at + 1)),
      fc.json().map((json) => `${json}\n`),
    );
    await fc.assert(
      fc.asyncProperty(changed, async (now) => {
        writeFileSync(file(), now);
        try {
          expect((await knownRestores(host)).length).toBe(1);
        } catch (reason) {
          if (!(reason instanceof EtcdkeepError)) throw reason;
          expect(reason.code).toBe('restore-journal-invalid');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('of a run that was killed before its plan was there is none', async () => {
    mkdirSync(host.realPath(join(RESTORES, STAMP)), { recursive: true });
    writeFileSync(file(), '');
    expect(await knownRestores(host)).toEqual([]);
    await expect(Journal.open(host, STAMP)).rejects.toMatchObject({ code: 'restore-not-found' });
  });

  it('with a plan of another kind is called invalid', async () => {
    await written();
    writeFileSync(host.realPath(join(RESTORES, STAMP, 'plan.json')), '{"version":2}');
    await expect(Journal.open(host, STAMP)).rejects.toMatchObject({
      code: 'restore-journal-invalid',
    });
  });

  it('there is one of a stamp', async () => {
    await written();
    await expect(Journal.create(host, PLAN)).rejects.toMatchObject({ code: 'target-exists' });
  });
});
