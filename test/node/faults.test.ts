// What becomes of a backup from a workstation when something breaks while it is in one of its phases.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ErrorCode } from '../../src/base/error-codes.ts';
import { PATIENCE_SECONDS } from '../../src/controlplane/node-directory.ts';
import { expectFailure } from '../cli/failure.ts';
import { type CliRun, runCli, startCli } from '../cli/run.ts';
import { directoryForTest, isReceiving, usedDirectory } from '../cli/scene.ts';
import { volumeForTest } from '../cli/volume.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { describeWithNode, nodeForSuite } from '../servers/node/for-vitest.ts';
import { type Pace, Relay } from './relay.ts';
import { contentsOf, fill, leftOn, said, through } from './remote-run.ts';

/** An API server that was killed twice is started again ten seconds later. */
const LONG = { timeoutMs: 120_000 };

/** In which all that is on the node ends by itself, as users are told, and is seen to. */
const IN_TIME_MS = (PATIENCE_SECONDS + 20) * 1000;

/** Where an earlier backup lies on the node. */
const KEPT = '/var/lib/etcdkeep/kept';

/** What a phase is made to last by, and how it is known that a run is in it. */
interface Phase {
  readonly pace: Pace;
  readonly flags: readonly string[];
  readonly reached: (run: CliRun, directory: string) => Promise<void>;
}
/** The name of a phase, as it is of a test. */
type PhaseName = 'sending' | 'taking' | 'taking it to stay' | 'bringing home';

/** What a run ends with: done, after it was interrupted perhaps; or an error. */
type End = 'done' | 'resumed' | readonly [code: ErrorCode, message: RegExp];

interface Fault {
  readonly strike: () => Promise<unknown>;
  /** Once the run has ended. */
  readonly mend?: () => Promise<unknown>;
  readonly ends: Readonly<Partial<Record<PhaseName, End>>>;
}

const BROKEN: End = ['exec-broken', /^the connection to the pod broke: /];
/** Of what a connection does not survive: only what the node has ready is waiting there. */
const CUT_OFF = {
  sending: BROKEN,
  taking: BROKEN,
  'taking it to stay': BROKEN,
  'bringing home': 'resumed',
} as const;

/** Pods of runs. */
const OURS = ['-n', 'openshift-etcd', '-l', 'app.kubernetes.io/managed-by=etcdkeep'];

describeWithNode('a backup from a workstation', () => {
  const node = nodeForSuite({
    taints: [{ key: 'node-role.kubernetes.io/master', effect: 'NoSchedule' }],
  });
  const place = temporaryDirectory();
  const kubeconfig = join(place, 'kubeconfig');
  let relay: Relay;
  beforeAll(async () => {
    relay = await Relay.start(node().api.url);
    writeFileSync(kubeconfig, node().api.kubeconfig(relay.url));
    await fill(node());
    const kept = await runCli(throughRelay('--leave-on-node', KEPT));
    expect(kept.code, kept.stderr).toBe(0);
  });
  afterAll(async () => {
    await relay[Symbol.asyncDispose]();
    removeTemporaryDirectory(place);
  });

  const throughRelay = (...flags: string[]): string[] =>
    through(node(), `--kubeconfig=${kubeconfig}`, ...flags);

  /** Runs a script of sh on the node. */
  async function onNode(script: string): Promise<string> {
    const { code, stdout, stderr } = await node().run(['sh', '-c', script]);
    expect(code, stderr).toBe(0);
    return stdout;
  }

  /** Of every file below a directory of the node. */
  const digestsOn = (directory: string): Promise<string> =>
    onNode(`find ${directory} -type f -exec sha256sum {} + | sort`);

  /** A next run comes home, whatever the one before has left. */
  async function expectNext(directory = directoryForTest(), earlier = {}): Promise<void> {
    const outcome = await runCli(throughRelay('--dest-dir', directory), LONG);
    expect(outcome.code, outcome.stderr).toBe(0);
    await expectWhole(directory, earlier);
  }

  const phases: Readonly<Record<PhaseName, Phase>> = {
    sending: {
      pace: { there: 8e6 },
      flags: [],
      reached: async (run) => {
        await said(run, 'through     ');
        await until(() => relay.passed.there > 2e6);
      },
    },
    taking: {
      pace: {},
      flags: ['--rate-limit=1MB'],
      reached: (run) => said(run, 'member      '),
    },
    'taking it to stay': {
      pace: {},
      flags: ['--rate-limit=1MB', '--leave-on-node', KEPT],
      reached: (run) => said(run, 'member      '),
    },
    'bringing home': {
      pace: { back: 2e6 },
      flags: [],
      reached: (_, directory) => until(() => isReceiving(directory)),
    },
  };
  const PHASES = Object.keys(phases) as PhaseName[];

  /** Starts one, until it is in a phase. */
  async function startIn(name: PhaseName, directory: string): Promise<CliRun> {
    const { pace, flags, reached } = phases[name];
    relay.setPace(pace);
    const home = flags.includes('--leave-on-node') ? [] : ['--dest-dir', directory];
    const run = startCli(throughRelay(...flags, ...home), LONG);
    await reached(run, directory);
    return run;
  }

  /** Strikes in each phase; what was there before stays as it was, and the next run works. */
  function itSurvives({ strike, mend, ends }: Fault): void {
    it.each(Object.entries(ends) as [PhaseName, End][])('%s', async (name, end) => {
      const directory = await usedDirectory();
      const earlier = contentsOf(directory);
      const kept = await digestsOn(KEPT);
      const run = await startIn(name, directory);
      await strike();
      relay.setPace({});
      const outcome = await run.outcome;
      await mend?.();
      if (end === 'done' || end === 'resumed') {
        expect(outcome.code, outcome.stderr).toBe(0);
        expect(outcome.stderr.includes('going on where it was')).toBe(end === 'resumed');
        await expectWhole(directory, earlier);
      } else {
        const [code, message] = end;
        expect(expectFailure(outcome, code).message).toMatch(message);
        expect(contentsOf(directory)).toEqual(earlier);
      }
      // A pod that nobody could be told to remove has ended by itself; the next run removes it.
      await until(
        async () => (await ownLeftOn()).every((line) => / Completed /.test(line)),
        IN_TIME_MS,
      );
      expect(await digestsOn(KEPT)).toBe(kept);
    });

    it('and the next one works', async () => {
      await expectNext();
      expect(await ownLeftOn()).toEqual([]);
    });
  }

  /** The directories of runs whose client was killed, and that they go by themselves. */
  const orphans: string[] = [];
  const theirEnds: Promise<void>[] = [];
  const ownLeftOn = async (): Promise<string[]> => (await leftOn(node())).filter(isOwn);

  const isOwn = (line: string): boolean => !orphans.some((orphan) => line.includes(orphan));

  /** As users are told: so long after its client. */
  async function goneInTime(orphan: string): Promise<void> {
    const isGone = async (): Promise<void> =>
      expect(await onNode('ls /var/lib/etcdkeep/nodes')).not.toContain(orphan);
    await vi.waitFor(isGone, { timeout: IN_TIME_MS, interval: 1000 });
  }

  describe('whose client is killed', () => {
    it.each(PHASES)('%s', async (name) => {
      const directory = await usedDirectory();
      const earlier = contentsOf(directory);
      const kept = await digestsOn(KEPT);
      const run = await startIn(name, directory);
      const outcome = await run.end('SIGKILL');
      relay.setPace({});
      expect(outcome.code).toBe(137);
      const [orphan, ...others] = (await ownLeftOn()).filter((line) => !line.includes(' '));
      expect([orphan, others]).toEqual([expect.stringMatching(/^etcdkeep-master-0-/), []]);
      orphans.push(orphan!);
      const end = goneInTime(orphan!);
      // It is waited for at the very end.
      end.catch(() => undefined);
      theirEnds.push(end);
      expect(contentsOf(directory)).toMatchObject(earlier);
      await until(async () => (await digestsOn(KEPT)) === kept);
      // The next one is not kept waiting, and removes what is left here.
      await expectNext(directory, earlier);
    });
  });

  describe('whose pod is deleted', () => {
    const gone = [
      'debug-pod-failed',
      /^the debug pod openshift-etcd\/\S+ was deleted by /,
    ] as const;
    itSurvives({
      strike: async () => {
        const pods = await node().kubectl(['get', 'pods', ...OURS, '-o', 'name']);
        const names = pods.stdout.split('\n').filter((pod) => pod !== '' && isOwn(pod));
        const deleted = await node().kubectl(['delete', ...names, '-n', 'openshift-etcd']);
        expect(deleted.code, deleted.stderr).toBe(0);
      },
      ends: { sending: gone, taking: gone, 'taking it to stay': gone, 'bringing home': gone },
    });
  });

  describe('whose API server is killed', () => {
    itSurvives({
      strike: async () => {
        expect(await node().run(['pkill', '-KILL', 'kube-apiserver'])).toMatchObject({ code: 0 });
      },
      ends: { sending: BROKEN, taking: BROKEN, 'bringing home': 'resumed' },
    });
  });

  describe('whose connection is cut', () => {
    itSurvives({
      strike: () => {
        relay.cut();
        return Promise.resolve();
      },
      ends: CUT_OFF,
    });

    it('and goes silent, which is noticed', async () => {
      const directory = await usedDirectory();
      const earlier = contentsOf(directory);
      const run = await startIn('bringing home', directory);
      relay.silence();
      relay.setPace({});
      await said(run, 'nothing was heard for 30 s; going on where it was');
      relay.heal();
      const outcome = await run.outcome;
      expect(outcome.code, outcome.stderr).toBe(0);
      await expectWhole(directory, earlier);
      expect(await ownLeftOn()).toEqual([]);
    });
  });

  describe('whose kubelet is killed', () => {
    itSurvives({
      strike: () => node().kubelet.kill(),
      ends: CUT_OFF,
    });
  });

  describe("whose node's disk is full", () => {
    const full = (what: string): End => [
      'disk-full',
      new RegExp(`^cannot ${what}.*: no space is left on the file system$`),
    ];
    // Room for etcdkeep itself and for the snapshot.
    beforeAll(() =>
      onNode(`
        cp -a ${KEPT} /run/kept && mount -t tmpfs -o size=250m tmpfs /var/lib/etcdkeep &&
        cp -a /run/kept ${KEPT}`),
    );
    afterAll(() => onNode(`umount -l /var/lib/etcdkeep`));
    itSurvives({
      strike: () =>
        onNode(`cat /dev/zero 2>/run/full >/var/lib/etcdkeep/filler; grep -q 'No space' /run/full`),
      mend: () => onNode(`rm /var/lib/etcdkeep/filler`),
      ends: {
        sending: full('put etcdkeep there on the node'),
        taking: full('write the file'),
        'taking it to stay': full('write the file'),
        'bringing home': 'done',
      },
    });

    it('from the start', async () => {
      await onNode(`cat /dev/zero 2>/dev/null >/var/lib/etcdkeep/filler; true`);
      const directory = await usedDirectory();
      const earlier = contentsOf(directory);
      const outcome = await runCli(throughRelay('--dest-dir', directory), LONG);
      expect(expectFailure(outcome, 'disk-full').message).toMatch(/the debug pod .*No space left/i);
      expect(contentsOf(directory)).toEqual(earlier);
      await onNode(`rm /var/lib/etcdkeep/filler`);
      expect(await ownLeftOn()).toEqual([]);
    });
  });

  it('whose own disk is full', async () => {
    const { path } = await volumeForTest('size=30m');
    const run = await startIn('bringing home', path);
    expect(() => writeFileSync(join(path, 'filler'), Buffer.alloc(30 << 20))).toThrow('ENOSPC');
    relay.setPace({});
    const outcome = await run.outcome;
    expectFailure(outcome, 'disk-full');
    expect(readdirSync(path)).toEqual(['filler']);
    expect(await ownLeftOn()).toEqual([]);
  });

  it('whose client was killed has nothing on the node once its time is over', () =>
    Promise.all(theirEnds));
});

/** A new backup beside what was there, as its record says that it is on the node, and nothing else. */
async function expectWhole(directory: string, earlier: Record<string, string>): Promise<void> {
  const now = contentsOf(directory);
  expect(now).toMatchObject(earlier);
  const added = Object.keys(now).filter((path) => !(path in earlier));
  const kinds = added.map((path) => path.slice(directory.length + 1).replace(/_\d{4}-.*?\./, '.'));
  expect(kinds).toEqual(['backup.json', 'snapshot.db', 'static_kuberesources.tar.gz']);
  const record = JSON.parse(readFileSync(added[0]!, 'utf8')) as {
    readonly snapshot: { readonly sha256: string };
  };
  const digest = createHash('sha256').update(readFileSync(added[1]!)).digest('hex');
  expect(digest).toBe(record.snapshot.sha256);
  const verified = await runCli(['verify', added[1]!]);
  expect(verified.code, verified.stderr).toBe(0);
}

async function until(condition: () => boolean | Promise<boolean>, timeout = 60_000): Promise<void> {
  await vi.waitFor(async () => expect(await condition()).toBe(true), {
    timeout,
    interval: 20,
  });
}
