// etcdctl takes its global flags before the command too: `--endpoints URL snapshot save FILE`.

import { OUTPUT_FLAGS } from './common-flags.ts';
import { ETCD_FLAGS } from './etcd-flags.ts';

const FLAGS_WITH_VALUE = new Set(
  Object.entries({ ...ETCD_FLAGS, ...OUTPUT_FLAGS })
    .filter(([, definition]) => definition.kind !== 'boolean')
    .map(([name]) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`),
);

const NO_COMMAND_NEEDED = new Set(['--help', '-h', '--version', '-v']);

/** Moves flags that stand before the command behind it. */
export function flagsLast(argv: readonly string[]): string[] {
  let at = 0;
  while (at < argv.length && argv[at]!.startsWith('-') && !NO_COMMAND_NEEDED.has(argv[at]!)) {
    at += FLAGS_WITH_VALUE.has(argv[at]!) ? 2 : 1;
  }
  return [...argv.slice(at), ...argv.slice(0, at)];
}
