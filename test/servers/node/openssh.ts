// A real sshd on a node, and the ssh that reaches it: Debian's, unpacked beside everything else, with the libraries of their own.
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLine, runCommand } from '../command.ts';
import { type FoundPart, findPart, type Part, preparePart } from '../parts.ts';
import { EXCLUDED, unpackPackages } from './debian.ts';
import type { ControlPlaneNode } from './node.ts';

/** Its packages want perl for what is never run. */
const UNUSED = ['share/perl*', 'lib/*/perl*', 'lib/*/libperl*', 'bin/perl*'];

const OPENSSH: Part = {
  name: 'openssh',
  version: 'of-debian-1',
  maker: 'packages of Debian',
  make: (directory) =>
    unpackPackages(['openssh-server'], join(directory, 'openssh'), [
      ...EXCLUDED,
      ...UNUSED.map((path) => `./usr/${path}`),
    ]),
};

/** The directory, if it is there already. */
export function findOpenssh(): Promise<FoundPart> {
  return findPart(OPENSSH);
}

/** The directory, made if need be. */
export function prepareOpenssh(): Promise<FoundPart> {
  return preparePart(OPENSSH);
}

const found = await findOpenssh();
const ON_NODE = '/opt/openssh';
const SETTINGS = 'etc/ssh';

/** What a node has to share for it (NodeOptions). */
export const OPENSSH_ON_NODE: Readonly<Record<string, string>> =
  'path' in found ? { [ON_NODE]: found.path } : {};

/** What the host is called by ssh, wherever it is reached. */
export const SSH_HOST = 'control-plane';

/**
 * Starts sshd on a node, where root is let in with a key.
 * @param directory is given a program `ssh` that has the key, and the file known-hosts
 * @param way where the node's port 22 is reached
 */
export async function startSshd(
  node: ControlPlaneNode,
  directory: string,
  way: URL,
): Promise<void> {
  if ('reason' in found) throw new Error(`there is no openssh: ${found.reason}`);
  const home = found.path;
  const [hostKey, userKey] = [join(directory, 'host-key'), join(directory, 'user-key')];
  for (const key of [hostKey, userKey]) await makeKey(home, key);
  const sshd = [
    `ListenAddress ${node.address}`,
    `HostKey /${SETTINGS}/host-key`,
    `AuthorizedKeysFile /${SETTINGS}/authorized`,
    'PermitRootLogin prohibit-password',
    'PidFile none',
  ];
  mkdirSync(node.path(SETTINGS));
  writeFileSync(node.path(SETTINGS, 'host-key'), readFileSync(hostKey), { mode: 0o600 });
  writeFileSync(node.path(SETTINGS, 'authorized'), readFileSync(`${userKey}.pub`));
  writeFileSync(node.path(SETTINGS, 'config'), `${sshd.join('\n')}\n`);
  appendFileSync(node.path('etc/passwd'), 'sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n');
  const start = `
    mkdir -p /run/sshd
    LD_LIBRARY_PATH=${ON_NODE}/usr/lib/${TRIPLE} ${ON_NODE}/usr/sbin/sshd -f /${SETTINGS}/config`;
  const { code, stderr } = await node.run(['sh', '-c', start]);
  if (code !== 0) throw new Error(`sshd does not start: ${lastLine(stderr)}`);

  const knownHosts = join(directory, 'known-hosts');
  writeFileSync(knownHosts, `${SSH_HOST} ${readFileSync(`${hostKey}.pub`, 'utf8')}`);
  const ssh = [
    `Host ${SSH_HOST}`,
    `HostName ${way.hostname}`,
    `Port ${way.port}`,
    `HostKeyAlias ${SSH_HOST}`,
    `IdentityFile ${userKey}`,
    `UserKnownHostsFile ${knownHosts}`,
  ];
  writeFileSync(join(directory, 'config'), `${ssh.join('\n')}\n`);
  const line = [...programOf(home, 'ssh'), '-F', join(directory, 'config')].join("' '");
  writeFileSync(join(directory, 'ssh'), `#!/bin/sh\nexec '${line}' "$@"\n`, { mode: 0o700 });
}

async function makeKey(home: string, path: string): Promise<void> {
  const [file, ...args] = programOf(home, 'ssh-keygen');
  const flags = ['-q', '-t', 'ed25519', '-N', '', '-f', path];
  const { code, stderr } = await runCommand(file!, [...args, ...flags]);
  if (code !== 0) throw new Error(`ssh-keygen: ${lastLine(stderr)}`);
}

/** As Debian names the architecture, and as its loader is named. */
const [TRIPLE, LOADER] =
  process.arch === 'arm64'
    ? ['aarch64-linux-gnu', 'ld-linux-aarch64.so.1']
    : ['x86_64-linux-gnu', 'ld-linux-x86-64.so.2'];

/** A command line that runs one of its programs here, with its own loader and libraries. */
function programOf(home: string, name: string): string[] {
  const libraries = join(home, 'usr/lib', TRIPLE);
  const loader = join(libraries, LOADER);
  return [loader, '--library-path', libraries, join(home, 'usr/bin', name)];
}
