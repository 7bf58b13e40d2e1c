// A member that answers as a candidate: what it says of itself, and whether a majority stands behind it.

import { EtcdkeepError } from '../../base/errors.ts';
import { type ClientOptions, EtcdClient } from '../../etcd/client/client.ts';
import type { Candidate, EndpointFacts, KnownMember } from './candidate.ts';

/** No key of a user's: what is read does not matter, only whether a majority lets it be read. */
const ANY_KEY = Buffer.from('health');

/** What a member says to somebody who may not read: it was asked, so a majority is there. */
const ANSWERED = ['permission-denied', 'authentication-required'];

/**
 * Asks a member.
 * @throws EtcdkeepError if it does not answer
 */
export async function lookAtEndpoint(options: ClientOptions): Promise<Candidate> {
  const client = await EtcdClient.connect(options);
  try {
    const facts = await ask(client);
    const { memberId, clusterId, isLearner, members } = facts;
    const own = members.find(({ id }) => id === memberId);
    return {
      name: own === undefined || own.name === '' ? client.endpoint : own.name,
      ...{ memberId, clusterId, isLearner, members },
      fromDirectory: undefined,
      fromEndpoint: facts,
      unfit: facts.errors.filter((text) => /corrupt/i.test(text)),
    };
  } finally {
    client.close();
  }
}

async function ask(client: EtcdClient): Promise<EndpointFacts> {
  const status = await client.status();
  const { header, isLearner } = status;
  // A learner lists nobody.
  const listed = isLearner ? [] : await client.memberList(false).catch(asNobody);
  return {
    endpoint: client.endpoint,
    version: status.version,
    leader: status.leader,
    hasQuorum: !isLearner && (await hasQuorum(client)),
    committed: status.raftIndex,
    applied: status.raftAppliedIndex,
    term: status.raftTerm,
    revision: header?.revision ?? 0n,
    isLearner,
    memberId: header?.memberId ?? 0n,
    clusterId: header?.clusterId ?? 0n,
    members: listed.map(
      (member): KnownMember => ({
        id: member.ID,
        name: member.name,
        peerUrls: member.peerURLs,
        clientUrls: member.clientURLs,
        isLearner: member.isLearner,
      }),
    ),
    errors: status.errors,
  };
}

function asNobody(reason: unknown): [] {
  if (reason instanceof EtcdkeepError) return [];
  throw reason;
}

/** Reads as etcdctl's `endpoint health` does: that takes a majority. */
async function hasQuorum(client: EtcdClient): Promise<boolean> {
  try {
    await client.range(ANY_KEY);
    return true;
  } catch (reason) {
    if (!(reason instanceof EtcdkeepError)) throw reason;
    return ANSWERED.includes(reason.code);
  }
}
