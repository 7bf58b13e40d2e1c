import { writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeHost, put, RESOURCES, temporaryDirectory } from '../controlplane/host.fixture.ts';
import type { Host } from '../controlplane/host.ts';
import { lookAtStaticResources, type StaticResources } from '../controlplane/static-resources.ts';
import { archiveResources } from './archive-resources.ts';
import type { BackupEvent } from './events.ts';

let host: Host;
let path: string;
let events: BackupEvent[];
beforeEach(async () => {
  ({ host } = await makeHost());
  path = join(await temporaryDirectory(), 'archive.tar.gz');
  events = [];
});

const file = (revision: number): string => `${RESOURCES}/etcd-pod-${revision}/configmaps/x`;
/** What an installer does at the end of a rollout. */
const makeLive = (revision: number): void =>
  writeFileSync(
    host.realPath('/etc/kubernetes/manifests/etcd-pod.yaml'),
    `{"path":"${RESOURCES}/etcd-pod-${revision}"}`,
  );
/** Archives; the hook is called at each event, before anything else happens. */
const archive = async (
  hook: (event: BackupEvent) => void = () => undefined,
  signal = new AbortController().signal,
  before: () => void = () => undefined,
) => {
  const firstLook = await lookAtStaticResources(host);
  before();
  return archiveResources(host, firstLook, path, {
    signal,
    report: (event) => {
      events.push(event);
      hook(event);
    },
  });
};
const kinds = (): string[] => events.map(({ kind }) => kind);
const livePod = (looked: StaticResources) =>
  looked.pods.find(({ name }) => name === 'etcd-pod')!.revision;

it('a host that stays as it is, is archived once', async () => {
  const { looked, archive: made } = await archive();
  expect(kinds()).toEqual(['archive-started']);
  expect(livePod(looked)).toBe(3);
  expect((await stat(path)).size).toBe(made.bytes);
});

it('a revision that was rolled out since the first look is the one archived, and is reported', async () => {
  await put(host, file(4), 'of 4');
  const { looked, archive: made } = await archive(undefined, undefined, () => makeLive(4));
  expect(events).toEqual([
    { kind: 'archive-started' },
    { kind: 'static-pod-found', pod: 'etcd-pod', path: `${RESOURCES}/etcd-pod-4` },
  ]);
  expect(livePod(looked)).toBe(4);
  const paths = made.members.map((member) => member.path);
  expect(paths.some((name) => name.includes('etcd-pod-4/'))).toBe(true);
  expect(paths.some((name) => name.includes('etcd-pod-3/'))).toBe(false);
});

describe('a file that changes while it is archived', () => {
  beforeEach(async () => {
    for (const revision of [4, 5, 6, 7]) await put(host, file(revision), `of ${revision}`);
  });

  it('once: it is archived again, as it is then', async () => {
    let changed = false;
    const touchOnce = (event: BackupEvent): void => {
      if (event.kind !== 'static-pod-found' || changed) return;
      changed = true;
      // A revision was found, and its files are listed: now one of them is written to.
      writeFileSync(host.realPath(file(4)), 'something else');
    };
    const { archive: made } = await archive(touchOnce, undefined, () => makeLive(4));
    expect(kinds()).toEqual(['archive-started', 'static-pod-found', 'archive-outdated']);
    const member = made.members.find(({ path: name }) => name.endsWith('etcd-pod-4/configmaps/x'));
    expect(member?.bytes).toBe('something else'.length);
    expect((await stat(path)).size).toBe(made.bytes);
  });

  it('with each attempt: it is given up after three, with no file left', async () => {
    let revision = 4;
    const rollOn = (event: BackupEvent): void => {
      if (event.kind === 'static-pod-found') writeFileSync(host.realPath(file(revision)), 'new');
      if (event.kind === 'archive-outdated') makeLive((revision += 1));
    };
    const attempts = archive(rollOn, undefined, () => makeLive(4));
    await expect(attempts).rejects.toMatchObject({ code: 'resources-changing', retryable: true });
    expect(events.filter(({ kind }) => kind === 'archive-outdated')).toEqual(
      [1, 2, 3].map((attempt) => ({ kind: 'archive-outdated', attempt })),
    );
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

it('a rollout while it is archived is noticed at the end, though no file of it was touched', async () => {
  await put(host, file(4), 'of 4');
  await put(host, file(5), 'of 5');
  const hook = (event: BackupEvent): void => {
    if (event.kind === 'static-pod-found' && event.path.endsWith('4')) makeLive(5);
  };
  const { looked } = await archive(hook, undefined, () => makeLive(4));
  expect(livePod(looked)).toBe(5);
  expect(kinds()).toEqual([
    ...['archive-started', 'static-pod-found', 'archive-outdated', 'static-pod-found'],
  ]);
});

it('what else fails is not tried again', async () => {
  writeFileSync(path, 'in the way');
  await expect(archive()).rejects.toMatchObject({ code: 'target-exists' });
  expect(kinds()).toEqual(['archive-started']);
});

it('an abort ends it', async () => {
  const reason = new Error('SIGINT');
  await expect(archive(undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
});
