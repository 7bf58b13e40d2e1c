// Gets all that a node is made of, and says in a line each where it came from. It fails where a part cannot be had; where
// the machine itself can run no node it says so, and fails only with ETCDKEEP_REQUIRE_ALL=1.
import { machinesMissing } from './machine.ts';
import { prepareNodeParts } from './parts.ts';

const lacking = machinesMissing();
if (lacking === undefined) {
  const parts = await prepareNodeParts((line) => console.log(line));
  if ('reason' in parts) fail(parts.reason);
} else if (process.env.ETCDKEEP_REQUIRE_ALL === '1') {
  fail(lacking);
} else {
  console.log(`no node can be had: ${lacking}`);
}

function fail(reason: string): void {
  console.error(`no node can be had: ${reason}`);
  process.exitCode = 1;
}
