// The commands, and how they end: one place maps errors to screens and exit codes.

import { buildApplication, buildRouteMap, help, text_en, version } from '@stricli/core';
import { EtcdkeepError } from '../base/errors.ts';
import { backup } from './commands/backup.ts';
import { check } from './commands/check.ts';
import { clusterBackup } from './commands/cluster-backup.ts';
import { drill } from './commands/drill.ts';
import { list } from './commands/list.ts';
import { nodeAgent } from './commands/node-agent.ts';
import { quorumRestore } from './commands/quorum-restore.ts';
import { restore } from './commands/restore.ts';
import { show } from './commands/show.ts';
import { snapshotCheck } from './commands/snapshot-check.ts';
import { snapshotDefrag } from './commands/snapshot-defrag.ts';
import { snapshotHashkv } from './commands/snapshot-hashkv.ts';
import { snapshotRestore } from './commands/snapshot-restore.ts';
import { snapshotSave } from './commands/snapshot-save.ts';
import { snapshotStatus } from './commands/snapshot-status.ts';
import { verify } from './commands/verify.ts';
import type { CommandContext } from './context.ts';
import { renderError } from './error-screen.ts';
import { VERSION } from './version.ts';

const snapshot = buildRouteMap({
  routes: {
    save: snapshotSave,
    status: snapshotStatus,
    check: snapshotCheck,
    hashkv: snapshotHashkv,
    defrag: snapshotDefrag,
    restore: snapshotRestore,
  },
  docs: { brief: 'Low-level snapshot tools, with the flags and output of etcdctl and etcdutl' },
});

const root = buildRouteMap({
  routes: {
    backup,
    check,
    list,
    show,
    verify,
    drill,
    restore,
    quorumRestore,
    snapshot,
    clusterBackup,
    nodeAgent,
  },
  docs: {
    hideRoute: { clusterBackup: true, nodeAgent: true },
    brief:
      'Backs up the etcd of an OpenShift or Kubernetes control plane, proves it, and restores it',
  },
});

/** The exit code for anything that a command throws. */
export function exitCodeOf(error: unknown): number {
  return error instanceof EtcdkeepError ? error.exitCode : 1;
}

/** What stricli says of a command line, as an error of ours. */
function renderUsage(sentence: string): string {
  return renderError(
    new EtcdkeepError('usage', sentence[0]!.toLowerCase() + sentence.slice(1).trimEnd()),
  );
}

export const app = buildApplication<CommandContext>(
  root,
  {
    name: 'etcdkeep',
    scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true },
    determineExitCode: exitCodeOf,
    localization: {
      loadText: () => ({
        ...text_en,
        noCommandRegisteredForInput: (input) =>
          renderUsage(text_en.noCommandRegisteredForInput(input)),
        exceptionWhileParsingArguments: (reason, colour) =>
          renderUsage(text_en.exceptionWhileParsingArguments(reason, colour)),
        exceptionWhileRunningCommand: renderError,
        commandErrorResult: renderError,
      }),
    },
  },
  {
    help: help({
      brief: 'Print this help and exit',
      defaultForRouteMap: true,
      formatting: {
        caseStyle: 'convert-camel-to-kebab',
        useAliasInUsageLine: false,
        onlyRequiredInUsageLine: true,
      },
    }),
    version: version({ brief: 'Print the version and exit', info: { currentVersion: VERSION } }),
  },
);
