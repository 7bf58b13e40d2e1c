// Gets all that a node is made of, and says in a line each where it came from. It fails where a part cannot be had.
import { prepareNodeParts } from './parts.ts';

const parts = await prepareNodeParts((line) => console.log(line));
if ('reason' in parts) {
  console.error(`no node can be had: ${parts.reason}`);
  process.exitCode = 1;
}
