// Gets all that a node is made of, and what tests use beside it, and says in a line each where it came from. It fails where a
// part of a node cannot be had; where the machine itself can run none it says so, and fails only with ETCDKEEP_REQUIRE_ALL=1.
import { prepareTinyproxy } from '../tinyproxy.ts';
import { machinesMissing } from './machine.ts';
import { prepareOpenssh } from './openssh.ts';
import { prepareNodeParts } from './parts.ts';

const lacking = machinesMissing();
if (lacking === undefined) {
  const parts = await prepareNodeParts((line) => console.log(line));
  if ('reason' in parts) fail(parts.reason);
  else await prepareOthers();
} else if (process.env.ETCDKEEP_REQUIRE_ALL === '1') {
  fail(lacking);
} else {
  console.log(`no node can be had: ${lacking}`);
}

/** A test that lacks one of these is reported by itself. */
async function prepareOthers(): Promise<void> {
  for (const [name, prepare] of [
    ['tinyproxy', prepareTinyproxy],
    ['openssh', prepareOpenssh],
  ] as const) {
    const found = await prepare();
    const words = 'reason' in found ? `cannot be had, ${found.reason}` : `from ${found.source}`;
    console.log(`${name}: ${words}`);
  }
}

function fail(reason: string): void {
  console.error(`no node can be had: ${reason}`);
  process.exitCode = 1;
}
