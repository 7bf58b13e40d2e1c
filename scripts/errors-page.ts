// docs/errors.md, from the table of error codes.

import { ERROR_CODES, type ErrorMeaning } from '../src/base/error-codes.ts';

const INTRODUCTION = `# Errors

Every error has a stable code, in parentheses behind its message and as \`error.code\` in
\`--output json\`. The codes are never renamed. This page is generated from \`src/base/error-codes.ts\`.

Exit codes: 0 done · 1 failed · 2 usage · 3 refused, nothing changed · 4 the backup is bad ·
5 done in part · 130 or 143 interrupted and cleaned up.

Whatever the error, no partial file is left, and every earlier backup is as it was.
`;

function section(code: string, { exit, when, advice, retryable }: ErrorMeaning): string {
  const again = retryable ? ' The same command may succeed later.' : '';
  const todo = advice.charAt(0).toUpperCase() + advice.slice(1);
  return `## ${code}\n\n${when}\n\n${todo}.${again} Exit code ${exit}.\n`;
}

/** The whole page, as Markdown. */
export function errorsPage(): string {
  const sections = Object.entries<ErrorMeaning>(ERROR_CODES)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, meaning]) => section(code, meaning));
  return [INTRODUCTION, ...sections].join('\n');
}
