// The other members of the cluster: who they are, and whether one of them lives. While one does, the others could form a
// quorum without this host, and clients would find two clusters.

import { EtcdkeepError } from '../../base/errors.ts';
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
  const open = others.filter(({ state }) => state === 'alive' || state === 'unknown');
  const words = (some: readonly OtherMember[]): string =>
    some.map(({ name, state }) => `${name} is ${WORDS[state]}`).join('; ');
  if (open.length > 0) return failed(words(open));
  return passed(others.length === 0 ? 'nobody knows of another member' : words(others));
}

const WORDS: Readonly<Record<OtherMemberState, string>> = {
  stopped: 'stopped',
  alive: 'ALIVE',
  unknown: 'unknown',
  attested: 'stopped by your word',
};

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

/** Addresses with the same answer are said together: `10.0.2.7:2379 and 2380: refuses`. */
function phraseOf(urls: readonly string[], answers: readonly { readonly seen: string }[]): string {
  if (urls.length === 0) return 'nobody knows its address';
  const bySeen = Map.groupBy(urls.keys(), (index) => answers[index]!.seen);
  return [...bySeen]
    .map(([seen, indexes]) => `${addressesOf(indexes.map((index) => urls[index]!))}: ${seen}`)
    .join(', ');
}

function addressesOf(urls: readonly string[]): string {
  const addresses = urls.map((url) => url.replace(/^https?:\/\//, ''));
  const byHost = Map.groupBy(addresses, (address) => address.replace(/:\d+$/, ''));
  return [...byHost]
    .map(([host, those]) => `${host}${those.map((one) => one.slice(host.length)).join(' and ')}`)
    .join(', ')
    .replaceAll(' and :', ' and ');
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
    ...(left.isUnnamed === true ? right : left),
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
