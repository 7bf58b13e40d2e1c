// etcdkeep restore BACKUP: what a restore of this host would do, and, agreed to, the restore itself.

import { buildCommand } from '@stricli/core';
import { RESTORE_CHECK_NAMES, RESTORE_CHECKS } from '../../backup/restore/check-catalog.ts';
import type { PlannedRestore } from '../../backup/restore/make-plan.ts';
import type { RestorePlan } from '../../backup/restore/plan.ts';
import type { Restored } from '../../backup/restore/run.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import { SKIP_CHECK_FLAG, skippedChecks } from '../check-flags.ts';
import { OUTPUT_FLAGS, type OutputFlags } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { errorDocument } from '../error-screen.ts';
import { ETCD_FLAGS, type EtcdFlags } from '../etcd-flags.ts';
import { bareHostRequest, ROOT_FLAG } from '../host-flags.ts';
import {
  restoredDocument,
  restoreTeller,
  showRestored,
  showRolledBack,
} from '../restore-run-screen.ts';
import { planDocument, showLastResort, showPlan } from '../restore-screen.ts';
import { demandStatus, STATUS_FLAGS, type StatusFlags, showStatus } from '../restore-status.ts';
import { type Screen, withScreen } from '../screen.ts';
import { STORED_FLAGS, type StoredFlags } from '../stored-flags.ts';
import { TOOL } from '../version.ts';

interface Flags extends EtcdFlags, StoredFlags, OutputFlags, StatusFlags {
  /** Stamp of an earlier run; empty for the newest. */
  readonly resume?: string;
  readonly rollback?: string;
  readonly status?: string;
  readonly clearAlarms: boolean;
  readonly skipCheck?: readonly string[];
  readonly memberStopped?: readonly string[];
  readonly method: RestorePlan['method'];
  readonly plan: boolean;
  readonly yes: boolean;
}

async function run(this: CommandContext, flags: Flags, backup?: string): Promise<void> {
  const actions = [flags.resume, flags.rollback, flags.status].filter((one) => one !== undefined);
  if (actions.length + (backup === undefined ? 0 : 1) !== 1) {
    throw new EtcdkeepError('usage', 'name a BACKUP, or one of --resume, --rollback and --status', {
      advice: 'etcdkeep restore BACKUP shows what it would do before it does it',
    });
  }
  demandStatus(flags, flags.status);
  if (backup !== undefined) await restoreFrom(this, flags, backup);
  else if (flags.status !== undefined) await showStatus(this, flags, flags.status);
  else await goOn(this, flags);
}

async function restoreFrom(context: CommandContext, flags: Flags, backup: string): Promise<void> {
  const refusal = await withScreen(context, flags, async (screen) => {
    demandConsentPossible(context, flags);
    const skipped = skippedChecks(flags.skipCheck ?? [], {
      names: RESTORE_CHECK_NAMES,
      needed: RESTORE_CHECKS.needed,
      whose: 'restore',
    });
    showLastResort(screen);
    // Loaded here, so that no other command, and not --help, waits for it.
    const { planRestore } = await import('../../backup/restore/make-plan.ts');
    const { refusalOf } = await import('../../backup/checks/result.ts');
    screen.progress.start('verify');
    const planned = await planRestore({
      ...bareHostRequest(flags, context),
      backup,
      stamp: flags.stamp,
      resourcesDirectory: flags.staticResourcesDir,
      membersStopped: flags.memberStopped ?? [],
      method: flags.method,
      clearAlarms: flags.clearAlarms,
      skipped,
      tool: TOOL,
      report: (event) => {
        if (event.kind === 'verifying') screen.progress.advance(event.bytes, event.totalBytes);
        else screen.progress.start('look');
      },
    }).catch(sayUntouched);
    screen.progress.start('');
    const refusing = refusalOf(planned.checks, RESTORE_CHECKS);
    showPlan(screen, planned, skipped, refusing !== undefined);
    if (refusing !== undefined) {
      screen.blank();
      refusing.aftermath = UNTOUCHED;
    }
    const document = planDocument(planned, skipped);
    if (refusing !== undefined || flags.plan) {
      screen.document({ ...document, ...(refusing === undefined ? {} : errorDocument(refusing)) });
      return refusing;
    }
    await demandConsent(context, flags, screen, planned.plan);
    const restored = await carryOutPlan(context, screen, planned);
    showRestored(screen, restored);
    screen.document({ ...document, restored: restoredDocument(restored) });
    return undefined;
  });
  if (refusal !== undefined) throw refusal;
}

async function carryOutPlan(
  context: CommandContext,
  screen: Screen,
  { plan, facts }: PlannedRestore,
): Promise<Restored> {
  const { host } = facts.own;
  const options = await runOptions(context, screen);
  screen.blank();
  if (plan.method === 'direct') {
    const { carryOut } = await import('../../backup/restore/carry-out.ts');
    return await carryOut(host, plan, options);
  }
  const { carryOutByVendor } = await import('../../backup/restore/vendor.ts');
  return await carryOutByVendor(host, plan, options);
}

/** --resume and --rollback: what was agreed to is in the journal. */
async function goOn(context: CommandContext, { root, ...flags }: Flags): Promise<void> {
  await withScreen(context, flags, async (screen) => {
    const host = await hostOf(context, root);
    const options = await runOptions(context, screen);
    if (flags.resume !== undefined) {
      const { resume } = await import('../../backup/restore/carry-out.ts');
      const restored = await resume(host, stampOf(flags.resume), options);
      showRestored(screen, restored);
      screen.document({ restored: restoredDocument(restored) });
      return;
    }
    const { rollBack } = await import('../../backup/restore/rollback.ts');
    const plan = await rollBack(host, stampOf(flags.rollback!), options);
    showRolledBack(screen, plan);
    screen.document({ stamp: plan.stamp, rolledBack: true });
  });
}

async function hostOf({ uid }: CommandContext, root: string | undefined) {
  const { requireRoot } = await import('../../backup/check.ts');
  const { findRestoredHost } = await import('../../backup/restore/own-host.ts');
  requireRoot(uid, 'restored');
  return await findRestoredHost(root);
}

async function runOptions({ now, signal }: CommandContext, screen: Screen) {
  const { buildFromSnapshot } = await import('../../backup/restore/build-from-snapshot.ts');
  return { build: buildFromSnapshot, report: restoreTeller(screen), now, signal };
}

/** A flag without a stamp is about the newest. */
function stampOf(text: string): string | undefined {
  return text === '' ? undefined : text;
}

const UNTOUCHED = 'Nothing was changed.';

function sayUntouched(reason: unknown): never {
  if (reason instanceof EtcdkeepError) reason.aftermath = UNTOUCHED;
  throw reason;
}

/** Before anything is looked at, which takes its time. */
function demandConsentPossible({ ask }: CommandContext, { plan, yes }: Flags): void {
  if (plan && yes) throw new EtcdkeepError('usage', '--plan and --yes contradict each other');
  if (plan || yes || ask !== undefined) return;
  throw new EtcdkeepError('usage', 'there is no terminal to ask on whether to go on', {
    advice: 'look at the plan with --plan, then agree to it with --yes',
  });
}

/** The host's own name is what nobody types on the wrong host without noticing. */
async function demandConsent(
  { ask }: CommandContext,
  { yes }: Flags,
  screen: Screen,
  { host }: RestorePlan,
): Promise<void> {
  if (yes || ask === undefined) return;
  screen.blank();
  const typed = await ask(`Type this host's name (${host.name}) to go on: `);
  if (typed.trim() === host.name) return;
  sayUntouched(
    new EtcdkeepError('not-confirmed', `"${typed.trim()}" is not the name of this host`, {
      facts: [['name', host.name]],
    }),
  );
}

const earlier = (brief: string) =>
  ({
    kind: 'parsed',
    parse: String,
    optional: true,
    inferEmpty: true,
    placeholder: 'stamp',
    brief,
  }) as const;

export const restore = buildCommand({
  func: run,
  parameters: {
    flags: {
      plan: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'show the plan, and change nothing',
      },
      yes: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: "agree to the plan, where nobody can type this host's name",
      },
      memberStopped: {
        kind: 'parsed',
        parse: String,
        optional: true,
        variadic: true,
        placeholder: 'name',
        brief: 'a member that cannot be reached, and that you have seen stopped; more than once',
      },
      method: {
        kind: 'enum',
        values: ['direct', 'vendor'],
        default: 'direct',
        brief: "vendor: by the host's own cluster-restore.sh, with these checks around it",
      },
      clearAlarms: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'remove the alarms that the snapshot holds',
      },
      resume: earlier('go on with a restore that was cut off'),
      rollback: earlier('undo a restore, as long as etcd has not opened the restored data'),
      status: earlier('say how far the cluster has recovered: on the host, or from a workstation'),
      ...STATUS_FLAGS,
      ...ROOT_FLAG,
      ...STORED_FLAGS,
      ...SKIP_CHECK_FLAG,
      ...OUTPUT_FLAGS,
      ...ETCD_FLAGS,
    },
    positional: {
      kind: 'tuple',
      parameters: [
        {
          parse: String,
          optional: true,
          placeholder: 'BACKUP',
          brief: 'a directory of backups (its newest), any file of one, or what a restore has kept',
        },
      ],
    },
  },
  docs: {
    brief: 'Restore the etcd of this control-plane host from a backup, as root',
    fullDescription: [
      'Looks at the backup, this host, its etcd and every other member; says what would be done, what that',
      "costs and how it is undone; and does nothing until this host's name is typed, or with --yes.",
      'BACKUP is also a snapshot alone, or what an earlier restore has kept (member-before-STAMP).',
      'The checks and what it means to leave one out are in docs/checks.md.',
      'With --status it only looks: through the API where a kubeconfig is named, or where this is no control-plane host.',
      '',
      'Exit status: 0 done (with --plan: it could be; with --status: the cluster has recovered), 3 refused and nothing',
      'changed, 4 the backup cannot be read, 5 it has not recovered yet, 1 failed, 2 usage.',
    ].join('\n'),
  },
});
