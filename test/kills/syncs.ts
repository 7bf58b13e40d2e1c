// ext4 brings more to the disk than it is asked for: a sync of any file or directory takes along every name that
// was made or removed before. What another file system may lose where a sync is missing is seen in the
// steps themselves.

/**
 * Throws unless each file is synced before it gets its name, and each name that comes or goes is synced before the
 * next thing depends on it.
 * @param steps what a whole run did, as stepped-run.ts names it
 */
export function requireSyncs(steps: readonly string[]): void {
  for (const [index, step] of steps.entries()) {
    const [, call, place, name] = /^(link|unlink) (DIR2?)\/([^/]+)$/.exec(step) ?? [];
    if (call === 'link') {
      requireSync(steps, `${place!}/.etcdkeep/${name!}`, lastWriteOf(steps, name!), index);
      requireSync(steps, place!, index, nextOf(steps, index, /^link /));
    }
    // The staging directory is what tells a next run that there is something to remove.
    if (call === 'unlink') {
      requireSync(steps, place!, index, nextOf(steps, index, /^(unlink|rmdir) .*\/\.etcdkeep/));
    }
  }
}

function lastWriteOf(steps: readonly string[], name: string): number {
  return steps.findLastIndex((step) => step.startsWith('write') && step.endsWith(`/${name}`));
}

/** The place of the next step of a kind, or of the end. */
function nextOf(steps: readonly string[], index: number, kind: RegExp): number {
  const next = steps.findIndex((step, other) => other > index && kind.test(step));
  return next === -1 ? steps.length : next;
}

function requireSync(steps: readonly string[], what: string, after: number, before: number): void {
  if (steps.slice(after + 1, before).includes(`sync ${what}`)) return;
  throw new Error(
    `${what} is not synced between "${steps[after]!}" and "${steps[before] ?? 'the end'}"`,
  );
}
