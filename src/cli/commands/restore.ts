// etcdkeep restore BACKUP: what a restore of this host would do, and, agreed to, the restore itself.

import { buildCommand } from '@stricli/core';
import { RESTORE_CHECK_NAMES, RESTORE_CHECKS } from '../../backup/restore/check-catalog.ts';
import type { RestorePlan } from '../../backup/restore/plan.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import { SKIP_CHECK_FLAG, skippedChecks } from '../check-flags.ts';
import { OUTPUT_FLAGS, type OutputFlags } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { errorDocument } from '../error-screen.ts';
import { ETCD_FLAGS, type EtcdFlags } from '../etcd-flags.ts';
import { bareHostRequest, ROOT_FLAG } from '../host-flags.ts';
import { planDocument, showLastResort, showPlan } from '../restore-screen.ts';
import { type Screen, withScreen } from '../screen.ts';
import { BACKUP_POSITIONAL, STORED_FLAGS, type StoredFlags } from '../stored-flags.ts';
import { TOOL } from '../version.ts';

interface Flags extends EtcdFlags, StoredFlags, OutputFlags {
  readonly root?: string;
  readonly skipCheck?: readonly string[];
  readonly memberStopped?: readonly string[];
  readonly method: RestorePlan['method'];
  readonly plan: boolean;
  readonly yes: boolean;
}

async function run(this: CommandContext, flags: Flags, backup: string): Promise<void> {
  const refusal = await withScreen(this, flags, async (screen) => {
    demandConsentPossible(this, flags);
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
      ...bareHostRequest(flags, this),
      backup,
      stamp: flags.stamp,
      resourcesDirectory: flags.staticResourcesDir,
      membersStopped: flags.memberStopped ?? [],
      method: flags.method,
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
    await demandConsent(this, flags, screen, planned.plan);
    throw new EtcdkeepError(
      'usage',
      'this version of etcdkeep plans a restore, and does not carry it out',
      {
        advice: 'look at the plan with --plan',
      },
    );
  });
  if (refusal !== undefined) throw refusal;
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
      ...ROOT_FLAG,
      ...STORED_FLAGS,
      ...SKIP_CHECK_FLAG,
      ...OUTPUT_FLAGS,
      ...ETCD_FLAGS,
    },
    positional: BACKUP_POSITIONAL,
  },
  docs: {
    brief: 'Restore the etcd of this control-plane host from a backup, as root',
    fullDescription: [
      'Looks at the backup, this host, its etcd and every other member; says what would be done, what that',
      "costs and how it is undone; and does nothing until this host's name is typed, or with --yes.",
      'BACKUP is also a snapshot alone, or what an earlier restore has kept (member-before-STAMP).',
      'The checks and what it means to leave one out are in docs/checks.md.',
      '',
      'Exit status: 0 done (with --plan: it could be), 3 refused and nothing changed, 4 the backup cannot be',
      'read, 1 failed, 2 usage.',
    ].join('\n'),
  },
});
