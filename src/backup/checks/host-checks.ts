// What the host itself shows: its certificates, and its static pods' revisions.

import { readdir } from 'node:fs/promises';
import { readError } from '../../base/errors.ts';
import { formatMoment, formatSpan } from '../../base/units.ts';
import {
  listLeafCertificates,
  readCertificates,
  shortName,
} from '../../controlplane/certificates.ts';
import { type Host, STATIC_POD_RESOURCES } from '../../controlplane/host.ts';
import type { LocalEtcd, StaticPod } from '../../controlplane/layout.ts';
import type { StaticResources } from '../../controlplane/static-resources.ts';
import { failed, type Outcome, passed, unknown } from './result.ts';

const DAY_MS = 86_400_000;

/**
 * OpenShift's shortest-lived certificates last 30 days and are renewed when half of that is over:
 * one that has less left is one whose renewal does not happen.
 */
const NEAR_END_MS = 14 * DAY_MS;

/** The manual's own figure: certificates of a new cluster are replaced within its first day. */
const YOUNG_MS = DAY_MS;

/** How many are named, the next one to end first; the rest is counted. */
const NAMED_MAX = 1;

export async function checkCertificates(
  host: Host,
  local: LocalEtcd,
  resources: StaticResources,
  now: Date,
): Promise<Outcome> {
  const certificates = await listLeafCertificates(host, resources, local.cert);
  const byEnd = certificates.toSorted((a, b) => a.validTo.getTime() - b.validTo.getTime());
  const [first] = byEnd;
  if (first === undefined) return unknown('no certificate was found');
  const left = (end: Date): number => end.getTime() - now.getTime();
  const ending = byEnd.filter(({ validTo }) => left(validTo) < NEAR_END_MS);
  if (ending.length === 0) {
    return passed(`${byEnd.length} certificates, valid until ${formatMoment(first.validTo)}`);
  }
  const words = ending.slice(0, NAMED_MAX).map(({ path, validTo }) => {
    const span = formatSpan(left(validTo));
    return `${shortName(path)} ${left(validTo) < 0 ? `expired ${span} ago` : `expires in ${span}`}`;
  });
  if (ending.length > NAMED_MAX) words.push(`and ${ending.length - NAMED_MAX} more`);
  return failed(words.join(', '));
}

/** The etcd authority is made when the cluster is; a later one is added to the bundle. */
export async function checkClusterAge(host: Host, local: LocalEtcd, now: Date): Promise<Outcome> {
  const authorities = await readCertificates(host, local.cacert);
  if (authorities.length === 0) return unknown('no authority of etcd was found');
  const oldest = Math.min(...authorities.map(({ validFromDate }) => validFromDate.getTime()));
  const age = now.getTime() - oldest;
  const words = `etcd's authority is ${formatSpan(age)} old (${formatMoment(new Date(oldest))})`;
  return age < YOUNG_MS ? failed(words) : passed(words);
}

/** An installer writes the directory of a revision first, and the manifest that names it last. */
export async function checkRollout(host: Host, pods: readonly StaticPod[]): Promise<Outcome> {
  const names = await revisionDirectories(host);
  const newer = pods.flatMap(({ name, revision = 0 }) => {
    const revisions = names
      .map((directory) => new RegExp(`^${name}-(\\d+)$`).exec(directory)?.[1])
      .map(Number)
      .filter((found) => found > revision);
    return revisions.length === 0
      ? []
      : [`${name}-${Math.max(...revisions)} is there, its manifest names ${revision}`];
  });
  if (newer.length > 0) return failed(newer.join('; '));
  return passed('every manifest names the newest revision that is there');
}

async function revisionDirectories(host: Host): Promise<string[]> {
  const path = host.realPath(STATIC_POD_RESOURCES);
  try {
    return await readdir(path);
  } catch (reason) {
    throw readError(reason, 'list the directory', path);
  }
}
