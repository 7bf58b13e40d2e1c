// The two commands, for what is to hold for both of them.
import { join } from 'node:path';
import type { OpenshiftHost } from '../fixtures/openshift-host.ts';

export interface Command {
  readonly command: string;
  /** The command line that saves into a directory. */
  readonly line: (directory: string, host: OpenshiftHost, flags?: readonly string[]) => string[];
}

export const COMMANDS: readonly Command[] = [
  {
    command: 'backup',
    line: (directory, host, flags = []) => ['backup', `--root=${host.root}`, directory, ...flags],
  },
  {
    command: 'snapshot save',
    line: (directory, _host, flags = []) => [
      'snapshot',
      'save',
      join(directory, 'new.db'),
      ...flags,
    ],
  },
];
