// Before the tests: takes down the nodes of earlier ones that were killed.
import { removeMachine } from '../servers/node/machine.ts';
import { takenSlots } from '../servers/node/slot.ts';

export default async function removeLeftovers(): Promise<void> {
  const taken = await takenSlots();
  for (const slot of taken.filter(({ isOrphan }) => isOrphan)) await removeMachine(slot);
}
