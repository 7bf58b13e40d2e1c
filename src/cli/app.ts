// The commands, and how they end: one place maps errors to screens and exit codes.

import {
  type Application,
  buildApplication,
  buildRouteMap,
  type Command,
  help,
  type PartialApplicationConfiguration,
  type RouteMap,
  text_en,
  version,
} from '@stricli/core';
import { EtcdkeepError } from '../base/errors.ts';
import type { CommandContext } from './context.ts';
import { renderError } from './error-screen.ts';
import { exitCodeOf } from './exit-code.ts';
import { VERSION } from './version.ts';

/** What a word stands for: a command, or commands that another word chooses from. */
type Target = Command<CommandContext> | RouteMap<CommandContext>;

/** Loads it; the words behind it choose further. */
type Loader = (words: readonly string[]) => Promise<Target>;

const SNAPSHOT_COMMANDS: Readonly<Record<string, Loader>> = {
  save: async () => (await import('./commands/snapshot-save.ts')).snapshotSave,
  status: async () => (await import('./commands/snapshot-status.ts')).snapshotStatus,
  check: async () => (await import('./commands/snapshot-check.ts')).snapshotCheck,
  hashkv: async () => (await import('./commands/snapshot-hashkv.ts')).snapshotHashkv,
  defrag: async () => (await import('./commands/snapshot-defrag.ts')).snapshotDefrag,
  restore: async () => (await import('./commands/snapshot-restore.ts')).snapshotRestore,
};

const COMMANDS: Readonly<Record<string, Loader>> = {
  backup: async () => (await import('./commands/backup.ts')).backup,
  check: async () => (await import('./commands/check.ts')).check,
  list: async () => (await import('./commands/list.ts')).list,
  show: async () => (await import('./commands/show.ts')).show,
  verify: async () => (await import('./commands/verify.ts')).verify,
  drill: async () => (await import('./commands/drill.ts')).drill,
  restore: async () => (await import('./commands/restore.ts')).restore,
  quorumRestore: async () => (await import('./commands/quorum-restore.ts')).quorumRestore,
  snapshot: async (words) =>
    buildRouteMap({
      routes: await routesFor(words, SNAPSHOT_COMMANDS),
      docs: { brief: 'Low-level snapshot tools, with the flags and output of etcdctl and etcdutl' },
    }),
  clusterBackup: async () => (await import('./commands/cluster-backup.ts')).clusterBackup,
  nodeAgent: async () => (await import('./commands/node-agent.ts')).nodeAgent,
};

/** The command that the first word names, without waiting for the others; all of them if it names none. */
async function routesFor(
  [word = '', ...more]: readonly string[],
  loaders: Readonly<Record<string, Loader>>,
): Promise<Record<string, Target>> {
  const name = word.replaceAll(/-[a-z]/g, ([, letter]) => letter!.toUpperCase());
  const wanted = Object.hasOwn(loaders, name) ? [name] : Object.keys(loaders);
  const load = async (one: string) => [one, await loaders[one]!(more)] as const;
  return Object.fromEntries(await Promise.all(wanted.map(load)));
}

/** What stricli says of a command line, as an error of ours. */
function renderUsage(sentence: string): string {
  return renderError(
    new EtcdkeepError('usage', sentence[0]!.toLowerCase() + sentence.slice(1).trimEnd()),
  );
}

const CONFIGURATION: PartialApplicationConfiguration = {
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
};

/** The application as far as a command line is about it. */
export async function appFor(words: readonly string[]): Promise<Application<CommandContext>> {
  const root = buildRouteMap({
    routes: await routesFor(words, COMMANDS),
    docs: {
      hideRoute: { clusterBackup: true, nodeAgent: true },
      brief:
        'Backs up the etcd of an OpenShift or Kubernetes control plane, proves it, and restores it',
    },
  });
  return buildApplication<CommandContext>(root, CONFIGURATION, {
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
  });
}
