// This checkout and its Node on a node, where it cannot be written.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const HOME = fileURLToPath(new URL('../..', import.meta.url));
const ON_NODE = '/opt/etcdkeep';

/** What a node has to share for it (NodeOptions). */
export const CHECKOUT: Readonly<Record<string, string>> = Object.fromEntries(
  ['bin', 'src', 'package.json', 'node_modules'].map((name) => [
    `${ON_NODE}/${name}`,
    realpathSync(`${HOME}${name}`),
  ]),
);

export const ETCDKEEP_ON_NODE = `${ON_NODE}/bin/etcdkeep`;
