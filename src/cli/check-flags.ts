// Flags about the checks before a backup, and what they come to.

import { CHECK_NAMES, NEEDED } from '../backup/checks/catalog.ts';
import type { CheckPolicy } from '../backup/checks/preflight.ts';
import type { SkippedCheck } from '../backup/checks/result.ts';
import { EtcdkeepError } from '../base/errors.ts';

export interface CheckFlags {
  readonly skipCheck?: readonly string[];
  readonly hashCheck: boolean;
  readonly strict: boolean;
}

export const SKIP_CHECK_FLAG = {
  skipCheck: {
    kind: 'parsed',
    parse: String,
    optional: true,
    variadic: true,
    placeholder: 'name[=reason]',
    brief: 'leave out a check (docs/checks.md); can be given more than once',
  },
} as const;

export const CHECK_FLAGS = {
  ...SKIP_CHECK_FLAG,
  hashCheck: {
    kind: 'boolean',
    default: true,
    brief: "compare the members' hashes",
  },
  strict: {
    kind: 'boolean',
    default: false,
    withNegated: false,
    brief: "refuse while something is rolled out, as OpenShift's script does",
  },
} as const;

/** @throws EtcdkeepError `usage` */
export function checkPolicy({ skipCheck = [], hashCheck, strict }: CheckFlags): CheckPolicy {
  const known = { names: CHECK_NAMES, needed: NEEDED, whose: 'backup' };
  const skipped = skippedChecks(skipCheck, known);
  if (hashCheck) return { skipped, strict };
  return {
    skipped: [...skipped, { name: 'hashes-agree', reason: 'asked for with --no-hash-check' }],
    strict,
  };
}

/** The checks that can be named. */
interface KnownChecks<Name extends string> {
  readonly names: readonly Name[];
  /** Those that cannot be left out. */
  readonly needed: readonly Name[];
  /** What they are made before. */
  readonly whose: string;
}

/**
 * What --skip-check names.
 * @throws EtcdkeepError `usage`
 */
export function skippedChecks<Name extends string>(
  texts: readonly string[],
  known: KnownChecks<Name>,
): readonly SkippedCheck<Name>[] {
  return texts.map((text) => {
    const [name = '', ...reason] = text.split('=');
    return {
      name: checkName(name, known),
      reason: reason.join('=') || 'asked for with --skip-check',
    };
  });
}

function checkName<Name extends string>(
  name: string,
  { names, needed, whose }: KnownChecks<Name>,
): Name {
  const found = names.find((one) => one === name);
  if (found !== undefined && needed.includes(found)) {
    throw new EtcdkeepError('usage', `the check "${name}" cannot be left out`, {
      advice: `no ${whose} can do without what it asks for`,
    });
  }
  if (found !== undefined) return found;
  throw new EtcdkeepError('usage', `there is no check "${name}"`, {
    advice: `the checks are ${names.join(', ')}`,
  });
}
