// Finds the programs of an etcd release, or makes them. The order is the cheapest first: the cache,
// the PATH, the distribution's package, a build from source.
import { readFile } from 'node:fs/promises';
import { messageOf } from '../../src/base/errors.ts';
import { cachedVersions, findCached, reasonFile, rememberReason } from './cache.ts';
import { packagedVersion, unpackPackage } from './debian-package.ts';
import { buildRelease, canBuild } from './go-build.ts';
import { findInstalled } from './path-search.ts';
import {
  byVersion,
  ETCD_VERSIONS,
  type EtcdBinaries,
  type EtcdVersion,
  serves,
} from './versions.ts';

/** The programs, or one sentence that says why they cannot be had. */
export type Found = { readonly binaries: EtcdBinaries } | { readonly reason: string };

/**
 * The programs of a release, as far as they are there already. Takes milliseconds and makes nothing;
 * the reason is the one that `prepareRelease` found, if it was asked.
 */
export async function findRelease(wanted: EtcdVersion): Promise<Found> {
  const binaries = (await findAnyCached(wanted)) ?? (await findServingInstalled(wanted));
  if (binaries !== undefined) return { binaries };
  const reason = await readFile(reasonFile(wanted), 'utf8').catch(() => undefined);
  return { reason: reason?.trim() ?? 'it was not prepared (test/servers/prepare.ts)' };
}

/** The programs of a release, unpacked or built if need be, which can take minutes. */
export async function prepareRelease(wanted: EtcdVersion): Promise<Found> {
  const found = await findRelease(wanted);
  const result = 'binaries' in found ? found : await makeRelease(wanted);
  await rememberReason(wanted, 'reason' in result ? result.reason : undefined);
  return result;
}

/**
 * The programs of whichever release is the quickest to get, for a demonstration that needs an etcd
 * and not a certain one. Newer ones are preferred among those that cost the same.
 */
export async function prepareQuickest(): Promise<Found> {
  for (const version of (await cachedVersions()).sort(byVersion).reverse()) {
    const cached = await findCached(version);
    if (cached !== undefined) return { binaries: cached };
  }
  const installed = await findInstalled();
  if (installed !== undefined) return { binaries: installed };
  const packaged = await packagedVersion();
  if ('version' in packaged) {
    const unpacked = await make(packaged.version, 'the package', unpackPackage);
    if ('binaries' in unpacked) return unpacked;
  }
  return prepareRelease(ETCD_VERSIONS.at(-1)!);
}

async function makeRelease(wanted: EtcdVersion): Promise<Found> {
  const packaged = await packagedVersion();
  const reasons: string[] = [];
  if ('reason' in packaged) {
    reasons.push(packaged.reason);
  } else if (serves(packaged.version, wanted)) {
    const unpacked = await make(packaged.version, 'the package', unpackPackage);
    if ('binaries' in unpacked) return unpacked;
    reasons.push(unpacked.reason);
  } else {
    reasons.push(`the distribution packages ${packaged.version}`);
  }
  // The modules of 3.4 were never published in a form that go can build from outside.
  if (wanted.startsWith('3.4.')) return { reason: reasons.join('; ') };
  if (!canBuild()) return { reason: [...reasons, 'there is no go to build it with'].join('; ') };
  return make(wanted, 'a build of its Go modules', buildRelease);
}

/** Runs one way of making a release, and reads the result from the cache. */
async function make(
  version: string,
  source: string,
  maker: (version: string) => Promise<void>,
): Promise<Found> {
  try {
    await maker(version);
  } catch (error) {
    return { reason: messageOf(error) };
  }
  const binaries = await findCached(version);
  return binaries === undefined
    ? { reason: `${source} of ${version} lacks etcd or etcdctl` }
    : { binaries: { ...binaries, source } };
}

async function findAnyCached(wanted: EtcdVersion): Promise<EtcdBinaries | undefined> {
  const version = (await cachedVersions()).find((cached) => serves(cached, wanted));
  return version === undefined ? undefined : findCached(version);
}

async function findServingInstalled(wanted: EtcdVersion): Promise<EtcdBinaries | undefined> {
  const installed = await findInstalled();
  return installed !== undefined && serves(installed.version, wanted) ? installed : undefined;
}
