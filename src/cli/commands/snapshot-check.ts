// etcdkeep snapshot check FILE: everything that is wrong in a snapshot.

import { buildCommand } from '@stricli/core';
import { EtcdkeepError } from '../../base/errors.ts';
import { formatBytes, formatCount } from '../../base/units.ts';
import { isError, type StoreFinding } from '../../etcd/store/store-finding.ts';
import { OUTPUT_FLAGS, type OutputFlags } from '../common-flags.ts';
import type { CommandContext } from '../context.ts';
import { errorDocument } from '../error-screen.ts';
import { parseCount } from '../parse.ts';
import { withScreen } from '../screen.ts';

interface Flags extends OutputFlags {
  readonly limit: number;
  readonly structureOnly: boolean;
}

async function run(this: CommandContext, flags: Flags, path: string): Promise<void> {
  const damage = await withScreen(this, flags, async (screen) => {
    const shown: StoreFinding[] = [];
    let first: StoreFinding | undefined;
    const take = (finding: StoreFinding): void => {
      if (isError(finding)) first ??= finding;
      if (shown.length === flags.limit) return;
      shown.push(finding);
      screen.answer(
        `${finding.rule.padEnd(13)}${sentenceOf(finding)} (byte ${formatCount(finding.offset)})`,
      );
    };
    // Loaded here, so that no other command, and not --help, waits for it.
    const { checkFile } = await import('../../backup/snapshot-file.ts');
    const { errors, warnings, pagesReachable, meta } = await checkFile(path, take, flags);
    const hidden = errors + warnings - shown.length;
    if (hidden > 0) screen.tell('more', `${formatCount(hidden)} findings; --limit shows them`);
    if (meta !== undefined) {
      const size = formatBytes(meta.pages * meta.pageSize);
      screen.tell(
        errors === 0 ? 'sound' : 'looked at',
        `${formatCount(pagesReachable)} of ${formatCount(meta.pages)} pages are in use, ${size}`,
      );
    }
    const error = first === undefined ? undefined : damaged(path, first, errors);
    screen.document({
      file: path,
      pages: meta?.pages,
      pagesReachable,
      findings: shown,
      errors,
      warnings,
      ...(error === undefined ? {} : errorDocument(error)),
    });
    return error;
  });
  if (damage !== undefined) throw damage;
}

/** Whatever is no warning makes the snapshot a damaged one. */
function sentenceOf(finding: StoreFinding): string {
  return isError(finding) ? finding.message : `warning: ${finding.message}`;
}

function damaged(path: string, { message, page, offset }: StoreFinding, errors: number) {
  const others = errors === 1 ? '' : `, and ${formatCount(errors - 1)} more`;
  return new EtcdkeepError('snapshot-damaged', `${message}${others}`, { path, page, offset });
}

export const snapshotCheck = buildCommand({
  func: run,
  parameters: {
    flags: {
      limit: {
        kind: 'parsed',
        parse: parseCount,
        default: '100',
        placeholder: 'count',
        brief: 'how many findings are shown; all are counted',
      },
      structureOnly: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'look at the pages alone, as bbolt check does; of any bbolt database',
      },
      ...OUTPUT_FLAGS,
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'FILE', brief: 'the snapshot' }],
    },
  },
  docs: {
    brief: 'Find everything that is wrong in a snapshot',
    fullDescription: [
      'Looks at every page of the tree, and at the freelist where the file has one, to the end whatever is',
      'found: what `bbolt check` looks for, and the length of the file, the bounds of every element, inline',
      'buckets, cycles, pages that are odd; and at each revision, whether it fits to those of its key before',
      'it. The file is never changed, and its digest is not looked at.',
      '',
      'Exit status: 0 sound, 4 damaged, 1 it cannot be read, 2 usage.',
    ].join('\n'),
  },
});
