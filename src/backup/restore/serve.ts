// The last step: waits until the restored etcd serves what was restored. It is asked itself, and not only whether it is
// healthy: a list and single keys have to agree with the snapshot.

import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdkeepError, messageOf } from '../../base/errors.ts';
import type { EtcdClient } from '../../etcd/client/client.ts';
import { endOfLog, runningContainers } from './containers.ts';
import { connectToMember } from './member-client.ts';
import { POLL_MS, type Run } from './run.ts';
import type { SampledKey } from './sample.ts';

/** As the start of a range, and as its end where it has none (etcd, rpc.proto, RangeRequest). */
const ZERO = Buffer.of(0);

/** What was seen when etcd served. */
export interface Served {
  readonly version: string;
  readonly revision: bigint;
  /** Live keys at the revision of the restore; undefined if a compaction was there first. */
  readonly keys: bigint | undefined;
  /** Keys that a single read and a list both gave as the snapshot has them; 0 if a compaction was there first. */
  readonly compared: number;
}

/** The member answers, and is not what was restored, or not ready. The message says what it is instead. */
class NotYet extends Error {}

/**
 * Waits until etcd serves: it is a member by its name, answers a linearizable read, is at the revision of the plan or past
 * it, raises no alarm, and what it lists is what the snapshot holds.
 * @throws EtcdkeepError `etcd-not-serving`; the signal's reason
 */
export async function waitUntilServing(run: Run): Promise<Served> {
  const { plan, report, signal, pollMs = POLL_MS } = run;
  const started = performance.now();
  for (;;) {
    signal.throwIfAborted();
    let observed: string;
    try {
      return await ask(run);
    } catch (reason) {
      signal.throwIfAborted();
      if (!(reason instanceof EtcdkeepError || reason instanceof NotYet)) throw reason;
      observed = await withContainer(run, messageOf(reason));
    }
    const elapsedMs = performance.now() - started;
    report({ kind: 'waiting-for-etcd', elapsedMs, observed });
    if (elapsedMs >= plan.serveTimeoutMs) throw await notServing(run, observed);
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * What was observed, and whether there is an etcd at all. A kubelet that has seen the manifest go has the API server delete the
 * pod, which takes 34 s to fail without an etcd, and does not look at its manifests before (kubelet_pods.go, HandlePodCleanups).
 */
async function withContainer({ host, plan }: Run, observed: string): Promise<string> {
  const [container = 'etcd'] = plan.etcd.containers;
  const running = await runningContainers(host, [container]);
  return running?.length === 0 ? `no container ${container} runs yet; ${observed}` : observed;
}

async function ask(run: Run): Promise<Served> {
  const client = await connectToMember(run);
  try {
    const { plan } = run;
    const { version, header, errors } = await client.status();
    const members = await client.memberList();
    // Others may have joined already.
    const names = members.map(({ name, ID }) => name || ID.toString(16));
    if (!names.includes(plan.member.name)) throw new NotYet(`its members are ${names.join(', ')}`);
    const alarms = await client.alarmList();
    if (alarms.length > 0) throw new NotYet(`it raises an alarm: ${errors.join('; ')}`);
    // By how much the host's own script lets revisions rise is its own affair.
    const isOurs = plan.method === 'direct';
    const to = BigInt(isOurs ? plan.bump.to : plan.backup.revision);
    const { revision } = header!;
    if (revision < to) throw new NotYet(`it is at revision ${revision}, below ${to}`);
    return { version, revision, ...(await compare(run, client, isOurs ? to : revision)) };
  } finally {
    client.close();
  }
}

/** At the revision of the restore, so that what is written meanwhile makes no difference. */
async function compare({ plan, journal }: Run, client: EtcdClient, revision: bigint) {
  const { keys, sample } = journal.state.built!;
  // Linearizable, which is a proof that the member leads and applies.
  await client.range(ZERO, { limit: 1, keysOnly: true });
  try {
    const { count } = await client.range(ZERO, { rangeEnd: ZERO, revision, countOnly: true });
    // The marker of an earlier bump is a record, and no key that a list shows.
    const isRight = [0n, 1n].some((markers) => count + markers === BigInt(keys ?? count));
    if (!isRight) {
      throw new NotYet(`it lists ${count} keys, and the snapshot holds ${keys!}`);
    }
    const restored = BigInt(plan.backup.revision);
    for (const one of sample) await compareKey(client, one, { revision, restored });
    return { keys: count, compared: sample.length };
  } catch (reason) {
    // An API server compacts what is older than five minutes.
    if (!/required revision has been compacted/.test(messageOf(reason))) throw reason;
    return { keys: undefined, compared: 0 };
  }
}

async function compareKey(
  client: EtcdClient,
  { key: base64, modRevision }: SampledKey,
  { revision, restored }: { readonly revision: bigint; readonly restored: bigint },
): Promise<void> {
  const key = Buffer.from(base64, 'base64');
  const single = await client.range(key, { revision, keysOnly: true });
  const list = await client.range(key, {
    rangeEnd: ZERO,
    revision,
    keysOnly: true,
    limit: 1,
  });
  const [read, listed] = [single, list].map(({ kvs: [kv] }) =>
    kv !== undefined && key.equals(kv.key) ? kv.modRevision : undefined,
  );
  // What was changed after the restore is above it; in a restore of ours nothing is, at the revision that is read.
  const isRight = `${read ?? ''}` === modRevision || (read !== undefined && read > restored);
  if (isRight && read === listed) return;
  throw new NotYet(
    `of a key that the snapshot has at revision ${modRevision} a read gives ${read ?? 'none'}, a list ${listed ?? 'none'}`,
  );
}

async function notServing({ host, plan }: Run, observed: string): Promise<EtcdkeepError> {
  const seconds = Math.round(plan.serveTimeoutMs / 1000);
  const [container = 'etcd'] = plan.etcd.containers;
  const log = await endOfLog(host, container);
  return new EtcdkeepError(
    'etcd-not-serving',
    `etcd does not serve the restored data after ${seconds} s`,
    {
      endpoint: plan.member.endpoint,
      facts: [['observed', observed], ...log.map((line) => ['log', line] as const)],
      advice: `look at its log (crictl logs); etcdkeep restore --resume ${plan.stamp} watches on, --rollback ${plan.stamp} goes back as long as etcd has not opened the data`,
    },
  );
}
