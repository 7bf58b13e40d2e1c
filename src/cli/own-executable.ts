// An executable of etcdkeep that a host can run: this very program, where it is one; else what npm run build has made.

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { isSea } from 'node:sea';
import { EtcdkeepError } from '../base/errors.ts';

/** Go's names of what Node calls otherwise. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64' };

/**
 * @param named the one that the user has named, which is believed
 * @throws EtcdkeepError `executable-missing`
 */
export async function executableFor(
  architecture: string,
  named: string | undefined,
): Promise<string> {
  const own = ARCHITECTURES[process.arch] ?? process.arch;
  if (named === undefined && isSea() && process.platform === 'linux' && own === architecture) {
    return process.execPath;
  }
  // Where it runs from its sources, this is src/cli/main.ts.
  const built = join(process.argv[1]!, `../../../dist/etcdkeep-linux-${architecture}`);
  const path = named ?? built;
  try {
    await access(path);
    return path;
  } catch (cause) {
    throw new EtcdkeepError(
      'executable-missing',
      `there is no executable of etcdkeep for linux/${architecture} to send to the host`,
      { path, cause },
    );
  }
}
