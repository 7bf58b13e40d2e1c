// docs/checks.md, from the catalog of checks.

import { CHECK_NAMES, CHECKS, NEEDED } from '../src/backup/checks/catalog.ts';

const INTRODUCTION = `# Checks before a backup

\`etcdkeep backup\` makes these checks first, and \`etcdkeep check [DIR]\` makes them alone. A backup is most
needed when something is wrong, so few of them refuse it. This page is generated from
\`src/backup/checks/catalog.ts\`; names are never changed.

- A check that **refuses** and fails ends the run with exit code 3 (\`check-failed\`) and nothing written.
  \`--skip-check NAME\` leaves it out, \`--skip-check NAME=REASON\` says why; the record keeps both. \`--force\`
  refuses nothing and marks the files \`__POSSIBLY_DIRTY__\`, as OpenShift's script does.
- A check that **warns** is shown and recorded, and the backup is taken.
- What cannot be asked is **unknown**: it warns whatever its severity is, and never counts as passed.

\`backup\` cannot do without ${NEEDED.map((name) => `\`${name}\``).join(' and ')}: where those fail, it ends with the error that
says why (docs/errors.md) before anything else is asked, and neither flag helps. \`--no-hash-check\` is \`--skip-check hashes-agree\`.
`;

function section(name: (typeof CHECK_NAMES)[number]): string {
  const { severity, asks, advice } = CHECKS[name];
  const does = severity === 'refuse' ? 'Refuses.' : 'Warns.';
  const todo = advice.charAt(0).toUpperCase() + advice.slice(1);
  return `## ${name}\n\n${does} ${asks}\n\n${todo}.\n`;
}

/** The whole page, as Markdown. */
export function checksPage(): string {
  return [INTRODUCTION, ...CHECK_NAMES.map(section)].join('\n');
}
