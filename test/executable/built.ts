// Where `npm run build` puts what it makes for this machine.
import { fileURLToPath } from 'node:url';
import { ownArchitecture } from '../../scripts/build/architectures.ts';

export const HOME = fileURLToPath(new URL('../..', import.meta.url));
export const DIST = `${HOME}dist/`;
export const EXECUTABLE = `${DIST}etcdkeep-linux-${ownArchitecture()}`;
export const IMAGE = `${DIST}etcdkeep-image-linux-${ownArchitecture()}.tar`;
