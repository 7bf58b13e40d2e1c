// Gets all that a node is made of, and what tests use beside it, and says in a line each where it came from. It fails where a part
// of a node cannot be had.
import { prepareTinyproxy } from '../tinyproxy.ts';
import { prepareOpenssh } from './openssh.ts';
import { prepareNodeParts } from './parts.ts';

const parts = await prepareNodeParts((line) => console.log(line));
if ('reason' in parts) {
  console.error(`no node can be had: ${parts.reason}`);
  process.exitCode = 1;
}

for (const [name, prepare] of [
  ['tinyproxy', prepareTinyproxy],
  ['openssh', prepareOpenssh],
] as const) {
  const found = await prepare();
  const words = 'reason' in found ? `cannot be had, ${found.reason}` : `from ${found.source}`;
  console.log(`${name}: ${words}`);
}
