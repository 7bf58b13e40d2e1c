// A node's place on this machine: everything that it has here is named after its slot, so that it can be found and removed
// whatever has become of those who started it.
import { readlinkSync } from 'node:fs';
import { readdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from '../processes.ts';

/** As containerd's own: on a disk, since the layers of containers cannot lie on another overlay. */
const PLACE = '/var/lib';
const PREFIX = 'etcdkeep-node-';

/** As many as the network has pairs of addresses. */
const SLOTS = 64;

/** The owner of a node that stays until it is taken down by command. */
const NOBODY = '0';

export class Slot {
  readonly number: number;

  constructor(number: number) {
    this.number = number;
  }

  /** Of its directory and its control groups. */
  get name(): string {
    return `${PREFIX}${this.number}`;
  }

  /** Where its files are. */
  get directory(): string {
    return join(PLACE, this.name);
  }

  /** This machine's end of its cable. */
  get link(): string {
    return `etcdkeepn${this.number}`;
  }

  /** This machine's address on it: of a network for documentation (RFC 5737), so that no real one is hidden. */
  get machineAddress(): string {
    return `198.51.100.${4 * this.number + 1}`;
  }

  /** The node's own. */
  get address(): string {
    return `198.51.100.${4 * this.number + 2}`;
  }

  /** The process that it belongs to; undefined if it stays until it is taken down by command. */
  get owner(): number | undefined {
    const owner = readlinkSync(this.#claim);
    return owner === NOBODY ? undefined : parseInt(owner, 10);
  }

  /** Whether its owner has gone without taking it down. */
  get isOrphan(): boolean {
    return this.owner !== undefined && !isAlive(this.owner);
  }

  /** From now on it belongs to nobody. */
  async handOver(): Promise<void> {
    await symlink(NOBODY, this.#newClaim);
    await rename(this.#newClaim, this.#claim);
  }

  /** Lets another node have the slot. Everything else that bears its name must have gone. */
  async release(): Promise<void> {
    await rm(this.#newClaim, { force: true });
    await rm(this.#claim);
  }

  /** Whether this process has it from now on; false if it is taken. */
  async claim(): Promise<boolean> {
    try {
      // A link that names its owner is made in one step, and only once.
      await symlink(`${process.pid}`, this.#claim);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  get #claim(): string {
    return `${this.directory}.owner`;
  }

  /** Until it has the other one's name. */
  get #newClaim(): string {
    return `${this.directory}.new-owner`;
  }
}

/** The first free slot, which belongs to this process from now on. */
export async function claimSlot(): Promise<Slot> {
  for (let number = 0; number < SLOTS; number += 1) {
    const slot = new Slot(number);
    if (await slot.claim()) return slot;
  }
  throw new Error(`there are ${SLOTS} nodes already`);
}

/** The slots that are taken. */
export async function takenSlots(): Promise<Slot[]> {
  const names = (await readdir(PLACE)).map((name) => /^etcdkeep-node-(\d+)\.owner$/.exec(name));
  return names.filter((match) => match !== null).map((match) => new Slot(Number(match[1])));
}
