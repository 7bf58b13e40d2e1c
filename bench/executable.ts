// The executable for this machine, as npm run build makes it.

import { fileURLToPath } from 'node:url';
import { ownArchitecture } from '../scripts/build/architectures.ts';

export const EXECUTABLE = fileURLToPath(
  new URL(`../dist/etcdkeep-linux-${ownArchitecture()}`, import.meta.url),
);
