// Proves the static resources of a backup from their archive alone.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readError } from '../base/errors.ts';

export interface ResourcesProof {
  readonly path: string;
  readonly bytes: number;
  /** Of the archive. */
  readonly sha256: string;
}

/** @throws EtcdkeepError `file-failed` */
export async function proveResources(path: string): Promise<ResourcesProof> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path)) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
  } catch (reason) {
    throw readError(reason, 'read the static resources', path);
  }
  return { path, bytes, sha256: hash.digest('hex') };
}
