// Where a backup is disturbed: what it does if nobody does so, and which of its steps are worth a try.

export interface Scenario {
  /** Whether the archive goes to a directory of its own. */
  readonly isApart: boolean;
  /** Whether it finds archive and snapshot of a run that was killed before its record appeared. */
  readonly isSweeping: boolean;
  /** What a run does that nobody disturbs. */
  readonly steps: readonly string[];
}

/**
 * The numbers of the steps before which a run is disturbed. By itself only those that another scenario does not
 * have as well: moves to two directories, and the sweep.
 * @param all every step
 */
export function numbersOf({ isApart, isSweeping, steps }: Scenario, all: boolean): number[] {
  const numbers = boundariesOf(steps);
  if (all || !(isApart || isSweeping)) return numbers;
  const first = steps.findIndex((name) => name.startsWith(isSweeping ? 'unlink' : 'link'));
  const end = isSweeping ? steps.indexOf('mkdtemp DIR/.etcdkeep') : steps.length;
  return numbers.filter((number) => number > first && number <= end);
}

/** All steps, but of the writes to one file only the first, the one in the middle and the last. */
function boundariesOf(steps: readonly string[]): number[] {
  return [...steps.keys()].filter((index) => isBoundary(steps, index)).map((index) => index + 1);
}

function isBoundary(steps: readonly string[], index: number): boolean {
  const name = steps[index]!;
  if (!name.startsWith('write')) return true;
  const same = [...steps.keys()].filter((other) => steps[other] === name);
  return [same.at(0), same.at(same.length >> 1), same.at(-1)].includes(index);
}

/** The number of the step with which the record appears. */
export function recordStepOf(steps: readonly string[]): number {
  return steps.findIndex((name) => name.startsWith('link DIR/backup')) + 1;
}

/** What a step is called in a failure. */
export function momentOf({ isApart, isSweeping, steps }: Scenario, step: number): string {
  const where = `${isApart ? ', the archive apart' : ''}${isSweeping ? ', with a sweep' : ''}`;
  return `before step ${step} (${steps[step - 1]!}${where})`;
}
