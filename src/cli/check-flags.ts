// Flags about the checks before a backup, and what they come to.

import { CHECK_NAMES, type CheckName, NEEDED } from '../backup/checks/catalog.ts';
import type { CheckPolicy } from '../backup/checks/preflight.ts';
import { EtcdkeepError } from '../base/errors.ts';

export interface CheckFlags {
  readonly skipCheck?: readonly string[];
  readonly hashCheck: boolean;
  readonly strict: boolean;
}

export const CHECK_FLAGS = {
  skipCheck: {
    kind: 'parsed',
    parse: String,
    optional: true,
    variadic: true,
    placeholder: 'name[=reason]',
    brief: 'leave out a check (docs/checks.md); can be given more than once',
  },
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
  const skipped = skipCheck.map((text) => {
    const [name = '', ...reason] = text.split('=');
    return { name: checkName(name), reason: reason.join('=') || 'asked for with --skip-check' };
  });
  if (hashCheck) return { skipped, strict };
  return {
    skipped: [...skipped, { name: 'hashes-agree', reason: 'asked for with --no-hash-check' }],
    strict,
  };
}

function checkName(name: string): CheckName {
  const found = CHECK_NAMES.find((known) => known === name);
  if (found !== undefined && NEEDED.includes(found)) {
    throw new EtcdkeepError('usage', `the check "${name}" cannot be left out`, {
      advice: 'no backup can be taken without what it asks for',
    });
  }
  if (found !== undefined) return found;
  throw new EtcdkeepError('usage', `there is no check "${name}"`, {
    advice: `the checks are ${CHECK_NAMES.join(', ')}`,
  });
}
