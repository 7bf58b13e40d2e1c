// docs/checks.md, from the catalogs of checks.

import { CHECK_NAMES, CHECKS, type CheckMeaning, NEEDED } from '../src/backup/checks/catalog.ts';
import { RESTORE_CHECK_NAMES, RESTORE_CHECKS } from '../src/backup/restore/check-catalog.ts';

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

const RESTORE_INTRODUCTION = `# Checks before a restore

\`etcdkeep restore\` makes these, on the host that is to be restored, and changes nothing before they are made; with
\`--plan\` it makes them and shows its plan, and that is all. A restore replaces what is there, so most of them refuse. This
part is generated from \`src/backup/restore/check-catalog.ts\`; names are never changed.

- A check that **refuses** and fails ends the run with exit code 3 (\`check-failed\`), and nothing is changed.
  \`--skip-check NAME\` goes on without it; what that means is said below, and by the run itself.
- What cannot be asked is **unknown**: it is shown, and refuses nothing. A member of which nothing is known is no such case:
  it refuses until it is named with \`--member-stopped\`.
- ${RESTORE_CHECKS.needed.map((name) => `\`${name}\``).join(', ')} cannot be left out.
`;

function section(heading: string, meaning: CheckMeaning): string {
  const { severity, asks, advice, without } = meaning;
  const does = severity === 'refuse' ? 'Refuses.' : 'Warns.';
  const override = without === undefined ? '' : ` Leaving it out ${without}.`;
  return `## ${heading}\n\n${does} ${asks}\n\n${sentence(advice)}${override}\n`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** The whole page, as Markdown. */
export function checksPage(): string {
  return [
    INTRODUCTION,
    ...CHECK_NAMES.map((name) => section(name, CHECKS[name])),
    RESTORE_INTRODUCTION,
    ...RESTORE_CHECK_NAMES.map((name) =>
      section(`${name}, before a restore`, RESTORE_CHECKS.meanings[name]),
    ),
  ].join('\n');
}
