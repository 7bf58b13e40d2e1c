// etcdkeep itself, brought to a node where nothing of it is installed: compressed through the shell's stdin, and compared.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { EtcdkeepError, readError } from '../../base/errors.ts';
import { lackingNeeds, loaderQuestion } from '../../base/system-needs.ts';
import {
  demandOutput,
  type NodeShell,
  nodeCommandFailed,
  runToEnd,
  shellScript,
} from '../../controlplane/node-shell.ts';

/** A node has one of them at least: the names of the programs, and what they read. */
const PACKERS = {
  zstd: () => createZstdCompress(),
  gzip: () => createGzip(),
};

const PROBE = `
for packer in zstd gzip; do command -v "$packer" >/dev/null && { echo "$packer"; exit; }; done
echo 'it has neither zstd nor gzip' >&2; exit 1
`;

/**
 * `$3` bytes of what `$2` has packed: the end of stdin cannot be told through every API server. All of them are read, also if they
 * cannot be written: what nobody reads keeps the kubelet from saying that the command has ended.
 */
const RECEIVE = `
umask 077
export LC_ALL=C
mkdir -p "$1" || exit 1
head -c "$3" | {
  "$2" -dc > "$1/etcdkeep"
  code=$?
  cat > /dev/null
  exit $code
} && chmod 700 "$1/etcdkeep" && sha256sum < "$1/etcdkeep"
`;

export interface NodeExecutable {
  /** On the host. */
  readonly path: string;
  /** What was sent. */
  readonly sentBytes: number;
}

/**
 * Puts the executable into a directory of the host.
 * @param executable path here of one that the node can run
 * @throws EtcdkeepError `node-command-failed`, `executable-unsuited`, `file-failed`, `exec-failed`, `exec-broken`
 */
export async function sendExecutable(
  shell: NodeShell,
  executable: string,
  directory: string,
): Promise<NodeExecutable> {
  const purpose = 'put etcdkeep there';
  const probed = (await demandOutput(shell, shellScript(PROBE), purpose)).trim();
  const packer = probed === 'zstd' ? 'zstd' : 'gzip';
  const { packed, digest } = await pack(executable, packer);
  const command = shellScript(RECEIVE, directory, packer, String(packed.length));
  const running = await shell.run(command, { hasStdin: true });
  const [stdout, stderr, code] = await Promise.all([
    text(running.stdout),
    text(running.stderr),
    running.exit,
    pipeline(Readable.from(slices(packed)), running.stdin!).catch(() => undefined),
  ]);
  if (code !== 0) throw nodeCommandFailed(purpose, code, stderr);
  if (!stdout.startsWith(digest)) throw nodeCommandFailed(purpose, code, 'it arrived damaged');
  const path = `${directory}/etcdkeep`;
  await demandNeeds(shell, path);
  return { path, sentBytes: packed.length };
}

/** @throws EtcdkeepError `executable-unsuited` where the host lacks what it is linked with */
async function demandNeeds(shell: NodeShell, path: string): Promise<void> {
  const machine = await demandOutput(shell, shellScript('uname -m'), 'ask what it is');
  const question = loaderQuestion(machine.trim(), path);
  const lacking = question === undefined ? [] : lackingNeeds(await runToEnd(shell, question));
  if (lacking.length === 0) return;
  throw new EtcdkeepError(
    'executable-unsuited',
    `etcdkeep's executable cannot run on the host, which lacks ${lacking.join(', ')}`,
  );
}

async function pack(path: string, packer: keyof typeof PACKERS) {
  const hash = createHash('sha256');
  const chunks: Buffer[] = [];
  const file = createReadStream(path, { highWaterMark: 1 << 20 });
  try {
    await pipeline(
      file,
      async function* (source: AsyncIterable<Buffer>) {
        for await (const chunk of source) {
          hash.update(chunk);
          yield chunk;
        }
      },
      PACKERS[packer](),
      async (packed: AsyncIterable<Buffer>) => {
        for await (const chunk of packed) chunks.push(chunk);
      },
    );
  } catch (reason) {
    throw readError(reason, 'read the executable', path);
  }
  return { packed: Buffer.concat(chunks), digest: hash.digest('hex') };
}

function* slices(bytes: Buffer): Generator<Buffer> {
  const size = 256 << 10;
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
