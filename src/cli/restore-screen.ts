// How the plan of a restore looks: what it is about, what was found, what would be done, what it costs, and the way back.

import { basename } from 'node:path';
import type { SkippedCheck } from '../backup/checks/result.ts';
import type { RestoreCheckName } from '../backup/restore/check-catalog.ts';
import { RESTORE_CHECKS } from '../backup/restore/check-catalog.ts';
import type { ManifestState } from '../backup/restore/etcd-manifest.ts';
import type { PlannedRestore } from '../backup/restore/make-plan.ts';
import type { OtherMember } from '../backup/restore/other-members.ts';
import type { PlacedResource, RestorePlan } from '../backup/restore/plan.ts';
import { formatBytes, formatCount, formatMoment, formatSpan } from '../base/units.ts';
import { LAYOUT_WORDS } from './backup-screen.ts';
import { checkLine, checkSummary } from './check-screen.ts';
import type { Screen } from './screen.ts';

/** One word of three is enough for whoever looks for what is wrong. */
const STATE_WORDS: Readonly<Record<OtherMember['state'], string>> = {
  stopped: 'stopped',
  alive: 'ALIVE',
  unknown: 'unknown',
  attested: 'attested',
};

/** Shown first, so that nobody is in the middle of it when he remembers. */
export function showLastResort(screen: Screen): void {
  screen.line(
    'Last resort: if the API still returns data, bring single objects back instead. Volumes are not rolled back.',
  );
  screen.blank();
}

/** The whole plan, top to bottom. */
export function showPlan(
  screen: Screen,
  planned: PlannedRestore,
  skipped: readonly SkippedCheck<RestoreCheckName>[],
  isRefused: boolean,
): void {
  showBackup(screen, planned);
  showHost(screen, planned);
  showOthers(screen, planned);
  showChecks(screen, planned, skipped);
  screen.blank();
  screen.tell(
    'plan',
    isRefused ? 'refused as it stands; what would be done' : 'nothing is changed until you agree',
  );
  showSteps(screen, planned);
  showCost(screen, planned);
}

function showBackup(screen: Screen, { facts }: PlannedRestore): void {
  const { source, revision, now } = facts;
  const { backup, snapshot, kind } = source;
  screen.tell('backup', `${snapshot.path}, revision ${revision}, ${formatBytes(snapshot.bytes)}`);
  if (backup.resources !== undefined) screen.tellMore(backup.resources.path);
  else
    screen.tellMore(
      kind === 'data' ? "a stopped member's data, without static resources" : 'no static resources',
    );
  const taken =
    backup.record === undefined && backup.stamp === undefined ? 'changed last' : 'taken';
  const age = formatSpan(now.getTime() - backup.at.getTime());
  screen.tellMore(`${taken} ${age} ago (${formatMoment(backup.at)}); ${provenWords(facts)}`);
}

/** OpenShift's mark, and the newest verdict of those that were recorded; the one of now is among the checks. */
function provenWords({ source, now }: PlannedRestore['facts']): string {
  const { record, possiblyDirty } = source.backup;
  const mark = possiblyDirty ? 'possibly dirty: taken with --force; ' : '';
  const last = record?.verdicts.at(-1);
  if (last === undefined) return `${mark}never proven before`;
  const ago = formatSpan(now.getTime() - new Date(last.at).getTime());
  return `${mark}${last.kind} ${ago} ago: ${last.result}`;
}

function showHost(screen: Screen, { facts, plan }: PlannedRestore): void {
  const { here, own } = facts;
  const members = facts.others.length + 1;
  const count = members === 1 ? 'the only member' : `one of ${members} members`;
  screen.tell('host', `${plan.host.name} · ${LAYOUT_WORDS[plan.host.layout]}, ${count}`);
  if (here.running !== undefined) {
    const { version, revision, endpoint } = here.running;
    screen.tellMore(`etcd ${version} is running here, revision ${revision}, at ${endpoint}`);
  } else {
    screen.tellMore(`etcd does not answer: ${here.silence?.message ?? ''}`);
    screen.tellMore(`compared with it instead: ${here.source}`);
  }
  const { state, path, source } = own.manifest;
  if (state === 'in place') return;
  const whence =
    state === 'archived' ? `the archive's comes back: ${source}` : `${source} will be used`;
  screen.tellMore(`no manifest of etcd is at ${path}: ${whence}`);
}

function showOthers(screen: Screen, { facts, stopCommand }: PlannedRestore): void {
  const { others } = facts;
  if (others.length === 0) {
    screen.tell('others', 'none: nothing here and nothing in the snapshot names another member');
    return;
  }
  const width = Math.max(...others.map(({ name }) => name.length)) + 3;
  for (const [index, { name, state, seen }] of others.entries()) {
    const line = `${name.padEnd(width)}${STATE_WORDS[state].padEnd(10)}${seen}`;
    screen.tell(index === 0 ? 'others' : '', line);
    if (state === 'unknown') {
      screen.tell(
        '',
        `${' '.repeat(width)}confirm with --member-stopped ${name} once it is stopped`,
      );
    }
  }
  const isOpen = others.some(({ state }) => state === 'alive' || state === 'unknown');
  if (!isOpen) return;
  screen.tellMore('to stop one, and keep it stopped, run on its host:');
  screen.tellMore(`  ${stopCommand}`);
}

/** What passed is counted; what was left out is said together with what that means. */
function showChecks(
  screen: Screen,
  { checks }: PlannedRestore,
  skipped: readonly SkippedCheck<RestoreCheckName>[],
): void {
  const { meanings, needed } = RESTORE_CHECKS;
  screen.tell('checks', checkSummary(checks, skipped.length));
  for (const check of checks) {
    if (check.result !== 'passed') screen.line(checkLine(check, needed));
  }
  for (const { name, reason } of skipped) {
    screen.warn(
      `${name} is left out (${reason}): it ${meanings[name].without ?? 'is not looked at'}`,
    );
  }
}

function showSteps(screen: Screen, { plan, facts }: PlannedRestore): void {
  const steps =
    plan.method === 'vendor' ? vendorSteps(plan) : directSteps(plan, facts.own.manifest.state);
  for (const [index, { noun, lines }] of steps.entries()) {
    for (const [at, line] of lines.entries()) {
      screen.line(
        `  ${(at === 0 ? `${index + 1}` : ' ').padEnd(3)}${(at === 0 ? noun : '').padEnd(9)}${line}`,
      );
    }
  }
}

interface Step {
  readonly noun: string;
  readonly lines: readonly string[];
}

function directSteps(plan: RestorePlan, state: ManifestState): readonly Step[] {
  const { data, etcd, backup } = plan;
  const mount = data.isMount ? ', in the mount itself' : '';
  const kept =
    data.kept === undefined
      ? [`nothing: ${data.directory} holds no member`]
      : [`today's data: member to ${basename(data.kept)}; nothing older is touched`];
  const stop =
    state === 'in place'
      ? [`etcd: ${basename(etcd.manifest)} moved to ${etcd.stopped}; then proven stopped`]
      : ['etcd: no manifest is in place; proven stopped all the same'];
  return [
    {
      noun: 'build',
      lines: [`${formatBytes(backup.snapshotBytes)} of data in ${data.build}${mount}`],
    },
    { noun: 'stop', lines: stop },
    { noun: 'keep', lines: kept },
    { noun: 'place', lines: ['the new data directory', ...placedLines(plan)] },
    { noun: 'start', lines: ['etcd, as a cluster of this member alone', ...bumpLines(plan)] },
    { noun: 'watch', lines: [watchLine(plan)] },
  ];
}

/** The script is Red Hat's, and so are its steps. */
function vendorSteps(plan: RestorePlan): readonly Step[] {
  return [
    {
      noun: 'keep',
      lines: [
        'what an earlier run of the script has moved to /var/lib/etcd-backup: it would remove it',
      ],
    },
    {
      noun: 'run',
      lines: [
        "the host's own cluster-restore.sh, on a directory with exactly this pair: it stops etcd, sets its",
        'data aside, unpacks all static resources of the archive, and lets a pod restore the snapshot',
      ],
    },
    { noun: 'watch', lines: [watchLine(plan)] },
  ];
}

function watchLine({ serveTimeoutMs }: RestorePlan): string {
  return `until etcd serves, at most ${formatSpan(serveTimeoutMs)} for this size`;
}

function bumpLines({ bump }: RestorePlan): readonly string[] {
  return [
    `revisions continue above ${formatCount(BigInt(bump.to))}; all before is marked compacted, so that every`,
    'watcher lists again',
  ];
}

/** How many of each are named. */
const NAMED_MAX = 4;

function placedLines({ resources, encryptionKeys, keptResources }: RestorePlan): readonly string[] {
  if (resources.length === 0) return ['no static resources: those of this host stay'];
  const lines: string[] = [];
  const say = (action: PlacedResource['action'], words: string): void => {
    const those = resources.filter((one) => one.action === action);
    if (those.length === 0) return;
    const named = those.slice(0, NAMED_MAX).map(({ path }) => path);
    const more = those.length > named.length ? [`and ${those.length - named.length} more`] : [];
    lines.push(`static resources ${words}: ${[...named, ...more].join(', ')}`);
  };
  say('place', 'that are missing here and come back');
  say('replace', `that are replaced, today's kept in ${keptResources}`);
  if (lines.length === 0) lines.push('static resources: those of this host stay as they are');
  if (encryptionKeys.length > 0) {
    const names = encryptionKeys.map((name) => `"${name}"`).join(', ');
    lines.push(
      `the API server will load encryption key${encryptionKeys.length === 1 ? '' : 's'} ${names}`,
    );
  }
  return lines;
}

function showCost(screen: Screen, { plan, facts, lostRevisions }: PlannedRestore): void {
  const { source, now } = facts;
  const span = formatSpan(now.getTime() - source.backup.at.getTime());
  screen.tell('lost', `${lostWords(lostRevisions)}, ${span} of changes`);
  if (source.kind === 'data') {
    screen.tellMore(
      'and what its write-ahead log holds beyond the database, which is not replayed',
    );
  }
  if (plan.method === 'direct') {
    screen.tell(
      'undo',
      `etcdkeep restore --rollback ${plan.stamp} until etcd has served; afterwards a restore of`,
    );
    screen.tellMore(`what step 3 has kept: etcdkeep restore ${plan.data.kept ?? 'BACKUP'}`);
  }
  screen.tell(
    'then',
    'etcdkeep restore --status: the other masters, operators, nodes; docs/restore.md',
  );
}

function lostWords(revisions: bigint | undefined): string {
  if (revisions === undefined) return 'revisions since the snapshot: how many is not known';
  if (revisions < 0n)
    return `none: the snapshot is ${formatCount(-revisions)} revisions ahead of this host`;
  return `${formatCount(revisions)} revision${revisions === 1n ? '' : 's'} made since the snapshot`;
}

/** The plan as a document. */
export function planDocument(
  { plan, facts, checks, lostRevisions, stopCommand }: PlannedRestore,
  skipped: readonly SkippedCheck<RestoreCheckName>[],
): Record<string, unknown> {
  const { here, others, source, now, keys } = facts;
  return {
    host: { name: plan.host.name, layout: plan.host.layout },
    running:
      here.running === undefined
        ? undefined
        : {
            endpoint: here.running.endpoint,
            version: here.running.version,
            revision: here.running.revision.toString(),
            clusterId: here.running.clusterId.toString(16),
          },
    notRunning: here.silence?.message,
    backup: {
      stamp: source.backup.stamp,
      taken: source.backup.at.toISOString(),
      snapshot: source.snapshot,
      staticResources: source.backup.resources,
      proven: source.backup.record?.verdicts.at(-1),
    },
    others: others.map(({ name, urls, state, seen }) => ({ name, urls, state, seen })),
    stopCommand,
    encryptionKeys: keys.used,
    lost: {
      revisions: lostRevisions?.toString(),
      since: source.backup.at.toISOString(),
      milliseconds: now.getTime() - source.backup.at.getTime(),
    },
    checks,
    skipped,
    plan,
  };
}
