// The way from a lost quorum to a cluster of one member. Nothing of it is done here.
//
// etcd's own --force-new-cluster leaves the revisions as they are. Writes that are lost had revisions that API servers,
// controllers and kubelets have seen; they are given out again, and whoever caches goes on with what is no more, while
// everything reports ready. OpenShift's etcd can raise them (--force-new-cluster-bump-amount, a patch of its own, which
// quorum-restore.sh uses); elsewhere a restore of a copy does it.

import type { LayoutName } from '../../controlplane/host.ts';
import { stopCommand } from '../../controlplane/stopped-etcd.ts';
import type { Comparison, Ranked } from './compare.ts';
import type { OwnHost } from './sources.ts';

export interface PlannedStep {
  /** On which host. */
  readonly on: string;
  readonly what: string;
  /** Lines to be run there, in order. */
  readonly commands: readonly string[];
}

export interface QuorumPlan {
  readonly layout: LayoutName | 'other';
  readonly steps: readonly PlannedStep[];
  /** What else there is to know, as sentences. */
  readonly notes: readonly string[];
}

/** Beside the data directory, where there is room for it, and nobody but root makes names. */
const copyIn = (data: string): string => `${data}-last.db`;
const aloneIn = (data: string): string => `${data}-alone`;
/** OpenShift's own: a thousand writes a second for eleven days. */
const BUMP = 1_000_000_000;
const OTHERS = 'every other control-plane host';

/** On its PATH, and where every host has it. Since 4.18. */
export const QUORUM_RESTORE_PLACES = [
  '/usr/local/bin/quorum-restore.sh',
  '/etc/kubernetes/static-pod-resources/etcd-certs/configmaps/etcd-scripts/quorum-restore.sh',
] as const;

async function findQuorumRestore({ host }: OwnHost): Promise<string | undefined> {
  for (const place of QUORUM_RESTORE_PLACES) if (await host.isFile(place)) return place;
  return undefined;
}

export async function planQuorumRestore(
  comparison: Comparison,
  own: OwnHost | undefined,
): Promise<QuorumPlan> {
  const { newest } = comparison;
  const notes = [...togetherNote(comparison)];
  const dataDirectory = own?.local.dataDirectory ?? newest.candidate.fromDirectory?.directory.path;
  const data = dataDirectory ?? '/var/lib/etcd';
  if (own === undefined) {
    const steps = [
      stopOthers('every other host', []),
      stopChosen(newest, []),
      ...copyOf(newest, data),
      restoreAnywhere(newest, data),
    ];
    return { layout: 'other', steps, notes };
  }
  const stop = [await stopCommand(own.host)];
  if (own.host.layout === 'kubeadm') return kubeadmPlan(newest, data, notes, stop);
  return openshiftPlan(newest, data, notes, { stop, quorumRestore: await findQuorumRestore(own) });
}

/** Started together, a majority loses nothing. */
function* togetherNote({ votersFit, voters, majority, ranked }: Comparison): Generator<string> {
  if (votersFit.length < majority || voters.length === 0) return;
  const names = ranked
    .filter(({ candidate, unfit }) => unfit.length === 0 && votersFit.includes(candidate.memberId))
    .map(({ candidate }) => candidate.name);
  yield `${votersFit.length} of ${voters.length} voters are sound (${[...new Set(names)].join(', ')}): started together on their own hosts they are a quorum again, and nothing is lost. Try that first; the steps are for when it cannot be done.`;
}

function stopOthers(on: string, commands: readonly string[]): PlannedStep {
  return {
    on,
    what: 'see that no etcd runs or comes back: two clusters would write the same objects',
    commands,
  };
}

function stopChosen({ candidate }: Ranked, commands: readonly string[]): PlannedStep {
  return { on: candidate.name, what: 'stop its etcd', commands };
}

/** A snapshot of what there is, with the writes that only the log has if there are any. */
function copyOf({ candidate, progress }: Ranked, data: string): PlannedStep[] {
  const save: PlannedStep = {
    on: candidate.name,
    what: 'save what it has: the last backup of this cluster',
    commands: [`sudo etcdkeep snapshot save ${copyIn(data)} --data-dir ${data}`],
  };
  if (progress.committedWritesBeyond === 0) return [save];
  const url = 'http://127.0.0.1:12379';
  return [
    save,
    {
      on: candidate.name,
      what: `take in the ${progress.committedWritesBeyond} writes that only its log has: start an etcd of its version alone on a copy, where nobody reaches it, save a snapshot of that, and stop it`,
      commands: [
        `sudo cp -a ${data} ${aloneIn(data)}`,
        `sudo etcd --name ${candidate.name} --data-dir ${aloneIn(data)} --force-new-cluster --listen-client-urls ${url} --advertise-client-urls ${url} --listen-peer-urls http://127.0.0.1:12380`,
        `sudo etcdkeep snapshot save ${copyIn(data)} --overwrite --endpoints ${url}`,
      ],
    },
  ];
}

function openshiftPlan(
  newest: Ranked,
  data: string,
  notes: readonly string[],
  {
    stop,
    quorumRestore,
  }: { readonly stop: readonly string[]; readonly quorumRestore: string | undefined },
): QuorumPlan {
  const first = [stopOthers(OTHERS, stop), stopChosen(newest, stop)];
  const { name } = newest.candidate;
  const settle: PlannedStep = {
    on: 'a workstation, or the same host',
    what: 'wait: the operator brings the other members back',
    commands: ['oc adm wait-for-stable-cluster'],
  };
  if (quorumRestore === undefined) {
    const restore = restoreOnHost(name, data);
    return {
      layout: 'openshift',
      steps: [...first, ...copyOf(newest, data), restore, settle],
      notes: [
        ...notes,
        `There is no quorum-restore.sh on this host: it comes with OpenShift 4.18 (${QUORUM_RESTORE_PLACES[0]}). The copy is restored instead.`,
      ],
    };
  }
  const save = copyOf(newest, data)[0]!;
  const run: PlannedStep = {
    on: name,
    what: "start it alone by the host's own script, which raises the revisions",
    commands: [`sudo -E ${quorumRestore}`],
  };
  return { layout: 'openshift', steps: [...first, save, run, settle], notes };
}

function restoreOnHost(name: string, data: string): PlannedStep {
  return {
    on: name,
    what: 'restore the copy, with revisions above all that anybody has seen',
    commands: [`sudo etcdkeep restore ${copyIn(data)}`],
  };
}

function kubeadmPlan(
  newest: Ranked,
  data: string,
  notes: readonly string[],
  stop: readonly string[],
): QuorumPlan {
  const { name } = newest.candidate;
  return {
    layout: 'kubeadm',
    steps: [
      stopOthers(OTHERS, stop),
      stopChosen(newest, stop),
      ...copyOf(newest, data),
      restoreOnHost(name, data),
      {
        on: OTHERS,
        what: 'take part again, one host after the other: add it with etcdctl member add on the first host, and put its manifest back with the --initial-cluster that this prints and --initial-cluster-state=existing',
        commands: [`sudo mv ${data} ${data}-before`],
      },
    ],
    notes: [
      ...notes,
      'etcd\'s own way is the line "    - --force-new-cluster" below "    - etcd" in /etc/kubernetes/manifests/etcd.yaml, taken out again once it serves. It is not recommended here: revisions are given out twice, and every API server, controller and kubelet has to be restarted for it.',
    ],
  };
}

function restoreAnywhere({ candidate }: Ranked, data: string): PlannedStep {
  const { name, memberId, members } = candidate;
  const own = members.find(({ id }) => id === memberId);
  const urls = own?.peerUrls ?? ['https://THIS-HOST:2380'];
  const member = own?.name || name;
  const cluster = urls.map((url) => `${member}=${url}`).join(',');
  return {
    on: name,
    what: 'make a new data directory of the copy, with revisions above all that anybody has seen; start etcd on it, and add the other members',
    commands: [
      `sudo etcdkeep snapshot restore ${copyIn(data)} --data-dir ${data}-new --name ${member} --initial-cluster ${cluster} --initial-advertise-peer-urls ${urls.join(',')} --bump-revision ${BUMP} --mark-compacted`,
    ],
  };
}
