// Certificates that lie on the host: which there are, and how long they are valid.

import { X509Certificate } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readError } from '../base/errors.ts';
import { PEM_CERTIFICATE } from '../etcd/client/credentials.ts';
import type { Host } from './host.ts';
import type { StaticResources } from './static-resources.ts';

export interface HostCertificate {
  /** As the host knows it. */
  readonly path: string;
  readonly validTo: Date;
}

/**
 * All certificates of a PEM file, in its order; those that do not parse are left out.
 * @throws EtcdkeepError `file-failed`
 */
export async function readCertificates(
  host: Host,
  path: string,
): Promise<readonly X509Certificate[]> {
  const blocks = (await host.readText(path)).match(PEM_CERTIFICATE) ?? [];
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}

/**
 * The certificates that servers and clients show: each `.crt` of the static resources, and those that
 * lie beside the certificate for etcd. Authorities are left out: a bundle keeps old ones.
 * @param etcdCertificate path of the client certificate, as the host knows it
 * @throws EtcdkeepError `file-failed`
 */
export async function listLeafCertificates(
  host: Host,
  { entries }: StaticResources,
  etcdCertificate: string,
): Promise<readonly HostCertificate[]> {
  const archived = entries
    .filter(({ type, path }) => type === 'file' && path.endsWith('.crt'))
    .map(({ path }) => join(host.archiveBase, path));
  const beside = await namesIn(host, dirname(etcdCertificate));
  const paths = new Set([...archived, ...beside.filter((path) => path.endsWith('.crt'))]);
  const found: HostCertificate[] = [];
  for (const path of paths) {
    // The first of a file is the one that is shown; what follows is its chain.
    const [leaf] = await readCertificates(host, path);
    if (leaf !== undefined && !leaf.ca) found.push({ path, validTo: leaf.validToDate });
  }
  return found;
}

/** How a person speaks of the file: its directory says whose `tls.crt` it is. */
export function shortName(path: string): string {
  return `${basename(dirname(path))}/${basename(path)}`;
}

async function namesIn(host: Host, directory: string): Promise<string[]> {
  try {
    const names = await readdir(host.realPath(directory));
    return names.toSorted().map((name) => `${directory}/${name}`);
  } catch (reason) {
    throw readError(reason, 'list the directory', host.realPath(directory));
  }
}
