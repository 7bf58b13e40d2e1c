// Words: of the command line, of environment variables, and names of files in a directory of backups.
import {
  parseBoolean,
  parseBytes,
  parseCount,
  parseDuration,
  parseRevision,
} from '../../../src/cli/parse.ts';
import { parseSingleEndpoint } from '../../../src/etcd/client/endpoint.ts';
import { statusError } from '../../../src/etcd/client/rpc-error.ts';
import { backupFiles, filesBeside, stampOfFile } from '../../../src/record/stamp.ts';
import { mutateText } from '../mutate-text.ts';
import { attempt, demand, type Target } from '../target.ts';

/** Timers of Node hold no more, and fire at once where they are given it. */
const TIMER_MAX = 2 ** 31 - 1;

const PARSERS: readonly ((text: string) => void)[] = [
  (text) => {
    const milliseconds = parseDuration(text);
    demand(milliseconds > 0 && milliseconds <= TIMER_MAX, `"${text}" lasts ${milliseconds} ms`);
  },
  (text) => demand(Number.isSafeInteger(parseBytes(text)), `"${text}" is no size`),
  (text) => demand(Number.isSafeInteger(parseCount(text)), `"${text}" is no count`),
  (text) => demand(parseRevision(text) >= 0n, `"${text}" is negative`),
  (text) => void parseBoolean(text),
];

const WORDS = [
  ...['5s', '1m30s', '1.5h', '300ms', '50MB', '1.5GiB', '800000', '0', '100', 'true', 'F'],
  ...['9223372036854775807', '9223372036854775808', '10GiB', '24h', '999999999'],
  ...['https://10.0.0.1:2379', '[fd00::1%eth0]:2379', 'unixs:///run/etcd.sock', 'a:1,b:2'],
  ...['snapshot_2026-11-23_145301.db', 'backup_2026-11-23_145301__POSSIBLY_DIRTY__.json'],
  ...['static_kuberesources_2026-11-23_145301.tar.gz', 'etcdserver: permission denied'],
];

/** @throws what is not the error that stands for text which is not understood */
function tryParse(parse: (text: string) => void, text: string): void {
  try {
    parse(text);
  } catch (reason) {
    if (!(reason instanceof SyntaxError)) throw reason;
  }
}

export const words: Target = {
  name: 'words',
  weight: 4,
  make: (random) => mutateText(Buffer.from(random.pick(WORDS)), random),
  async run(input) {
    const text = Buffer.from(input).toString('utf8');
    for (const parse of PARSERS) tryParse(parse, text);
    const stamp = stampOfFile(text);
    const files = filesBeside(text);
    demand((stamp === undefined) === (files === undefined), 'a stamp without files');
    if (files !== undefined) {
      demand(stampOfFile(files.record) === stamp, `the record of ${text} is of another stamp`);
      demand(
        backupFiles(stamp!).record.length <= files.record.length,
        'a record without its stamp',
      );
    }
    statusError(text.length % 20, text, 'do it', 'https://a:1');
    const endpoint = await attempt(
      () => parseSingleEndpoint(text, true),
      'endpoint-invalid',
      'endpoint-not-single',
    );
    return 'value' in endpoint ? 'read' : endpoint.code;
  },
};
