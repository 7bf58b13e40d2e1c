// The other members of the cluster: who they are, and whether one of them lives. While one does, the others could form a
// quorum without this host, and clients would find two clusters.

import { EtcdkeepError } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import { failed, type Outcome, passed } from '../checks/result.ts';
import type { KnownMember, OwnHost } from './own-host.ts';
import { dialPeer } from './peer-dial.ts';

/** `attested`: nothing is known of it but what the administrator says. */
export type OtherMemberState = 'stopped' | 'alive' | 'unknown' | 'attested';

export interface OtherMember {
  readonly name: string;
  readonly urls: readonly string[];
  readonly state: OtherMemberState;
  /** What was observed at each address, as a phrase. */
  readonly seen: string;
}

/** A host that runs answers or refuses within milliseconds. */
const DIAL_TIMEOUT_MS = 3000;

const DISABLE_ETCD = '/usr/local/bin/disable-etcd.sh';

/**
 * The members that any of the lists names, but the host's own: the same member by its name, or by a peer URL.
 * @returns in the order of their names
 */
export function othersOf(own: OwnHost, lists: readonly (readonly KnownMember[])[]): KnownMember[] {
  const others: KnownMember[] = [];
  for (const member of lists.flat()) {
    const isOwn = member.name === own.member.name || haveCommon(member.peerUrls, own.peerUrls);
    if (isOwn) continue;
    const at = others.findIndex(
      ({ name, peerUrls }) => name === member.name || haveCommon(peerUrls, member.peerUrls),
    );
    if (at < 0) others.push(member);
    else others[at] = merged(others[at]!, member);
  }
  return others.toSorted((left, right) => left.name.localeCompare(right.name));
}

/**
 * Dials every address of every other member, all at once.
 * @param attested names of members that the administrator has seen stopped
 * @throws EtcdkeepError `usage` if one of them is no member that is known
 */
export async function dialOthers(
  others: readonly KnownMember[],
  attested: readonly string[],
  signal: AbortSignal,
): Promise<readonly OtherMember[]> {
  const stranger = attested.find((name) => !others.some((other) => other.name === name));
  if (stranger !== undefined) throw noSuchMember(stranger, others);
  return Promise.all(
    others.map(async (member) => dialOther(member, attested.includes(member.name), signal)),
  );
}

/** One that answers refuses; so does one of which nothing is known, until it is attested. */
export function checkOtherMembers(others: readonly OtherMember[]): Outcome {
  const words = others.map(({ name, state, seen }) => `${name} ${WORDS[state]}: ${seen}`);
  const isRefused = others.some(({ state }) => state === 'alive' || state === 'unknown');
  if (others.length === 0) return passed('nobody knows of another member');
  return (isRefused ? failed : passed)(words.join('; '));
}

const WORDS: Readonly<Record<OtherMemberState, string>> = {
  stopped: 'is stopped',
  alive: 'is ALIVE',
  unknown: 'is unknown',
  attested: 'is stopped by your word',
};

/** What is to be run on each other host, so that its member stops and stays so. */
export async function stopCommand(host: Host): Promise<string> {
  if (host.layout === 'kubeadm') {
    return 'sudo mkdir -p /etc/kubernetes/manifests-stopped && sudo mv /etc/kubernetes/manifests/etcd.yaml /etc/kubernetes/manifests-stopped/';
  }
  // Since 4.18; every host has what this one has.
  if (await host.isFile(DISABLE_ETCD)) return `sudo -E ${DISABLE_ETCD}`;
  return 'sudo mkdir -p /home/core/assets/manifests-stopped && sudo mv /etc/kubernetes/manifests/etcd-pod.yaml /home/core/assets/manifests-stopped/';
}

async function dialOther(
  { name, peerUrls, clientUrls }: KnownMember,
  isAttested: boolean,
  signal: AbortSignal,
): Promise<OtherMember> {
  const urls = [...new Set([...clientUrls, ...peerUrls, ...clientUrlsFrom(peerUrls)])];
  const answers = await Promise.all(urls.map((url) => dialPeer(url, DIAL_TIMEOUT_MS, signal)));
  const states = answers.map(({ state }) => state);
  const state = states.includes('alive')
    ? 'alive'
    : states.length > 0 && states.every((one) => one === 'refused')
      ? 'stopped'
      : isAttested
        ? 'attested'
        : 'unknown';
  return { name, urls, state, seen: phraseOf(urls, answers) };
}

/** Addresses with the same answer are said together: `10.0.2.7:2379 and 10.0.2.7:2380 refuse`. */
function phraseOf(urls: readonly string[], answers: readonly { readonly seen: string }[]): string {
  if (urls.length === 0) return 'nobody knows its address';
  const bySeen = Map.groupBy(urls.keys(), (index) => answers[index]!.seen);
  const address = (index: number): string => urls[index]!.replace(/^https?:\/\//, '');
  return [...bySeen]
    .map(([seen, indexes]) => `${indexes.map(address).join(' and ')}: ${seen}`)
    .join(', ');
}

/** A restored member has no client URL until it starts: by default it serves clients one port below (etcd, embed/config.go). */
function clientUrlsFrom(peerUrls: readonly string[]): string[] {
  return peerUrls
    .filter((url) => url.endsWith(':2380'))
    .map((url) => url.replace(/:2380$/, ':2379'));
}

function merged(left: KnownMember, right: KnownMember): KnownMember {
  const union = (one: readonly string[], other: readonly string[]): string[] => [
    ...new Set([...one, ...other]),
  ];
  return {
    // An id stands for a name that is not known.
    name: /^[0-9a-f]{1,16}$/.test(left.name) ? right.name : left.name,
    peerUrls: union(left.peerUrls, right.peerUrls),
    clientUrls: union(left.clientUrls, right.clientUrls),
  };
}

function haveCommon(left: readonly string[], right: readonly string[]): boolean {
  return left.some((url) => right.includes(url));
}

function noSuchMember(name: string, others: readonly KnownMember[]): EtcdkeepError {
  const names = others.map((other) => other.name).join(', ');
  return new EtcdkeepError('usage', `--member-stopped names "${name}", which is no other member`, {
    advice: names === '' ? 'there is no other member: leave it out' : `the others are ${names}`,
  });
}
