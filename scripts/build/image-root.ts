// The files of the image: the executable, the libraries that it needs, certificates of authorities, and busybox, so that
// a debug pod has a shell, and chroot for the host's own programs.

import { posix } from 'node:path';
import type { ParsedTarEntryWithData, TarHeader } from 'modern-tar';
import { type Architecture, NAMES } from './architectures.ts';
import type { DebianPackage } from './debian.ts';

/** One file, directory or link of an archive. */
export interface Entry {
  readonly header: TarHeader;
  readonly body?: string | Uint8Array;
}

export const PACKAGES = ['busybox-static', 'ca-certificates', 'libc6', 'libgcc-s1', 'libstdc++6'];

/** What a pod's command, a shell in it and our own calls of the host's programs ask for. */
const APPLETS = (
  'base64 cat chmod chown chroot cp cut date dd df du env find grep gunzip gzip head hostname id kill ln ls ' +
  'mkdir mktemp mount mv nsenter ps pwd readlink rm rmdir sed sh sha256sum sleep sort stat sync tail tar tee ' +
  'test touch tr true umount uname vi wc which'
).split(' ');

const MERGED = ['bin', 'lib', 'lib64', 'sbin'];
const CA_BUNDLE = 'etc/ssl/certs/ca-certificates.crt';

/** What the distribution gives: the same layer for every build until one of its packages has a new version. */
export function systemEntries(
  architecture: Architecture,
  packages: readonly DebianPackage[],
): Entry[] {
  const all = packages.flatMap(({ entries }) => entries.map(mergedPath));
  const isWanted = wanted(architecture);
  const taken = all.filter(({ header }) => isWanted.test(header.name));
  return complete([
    ...MERGED.map((name) => link(name, `usr/${name}`)),
    ...APPLETS.map((name) => link(`usr/bin/${name}`, 'busybox')),
    ...taken.map(({ header, data }) => ({
      header: plainHeader(header),
      ...(data !== undefined && { body: data }),
    })),
    file(CA_BUNDLE, certificatesOf(all)),
    file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n'),
    file('etc/group', 'root:x:0:\n'),
    file('etc/nsswitch.conf', 'hosts: files dns\n'),
    directory('root', 0o700),
    directory('tmp', 0o1777),
    ...['dev', 'proc', 'sys'].map((name) => directory(name, 0o755)),
  ]);
}

export function ownEntries(executable: Uint8Array, licenses: string): Entry[] {
  return complete([
    file('usr/bin/etcdkeep', executable, 0o755),
    file('usr/share/doc/etcdkeep/LICENSES', licenses),
  ]);
}

/** The loader, the libraries that Node is linked with, busybox, and the terms of all of them. */
function wanted(architecture: Architecture): RegExp {
  const { multiarch } = NAMES[architecture];
  const libraries = 'lib(c|m|dl|pthread|gcc_s|stdc\\+\\+)\\.so[.\\d]*';
  return new RegExp(
    `^usr/(bin/busybox|share/doc/[^/]+(/copyright)?|lib(64)?/(${multiarch}/)?(ld-linux[^/]*|${libraries}))$`,
  );
}

/** Since Debian 13 its packages name the directories that /bin, /lib and the like are links to. */
function mergedPath(entry: ParsedTarEntryWithData): ParsedTarEntryWithData {
  const path = posix.normalize(entry.header.name);
  const isBelowLink = MERGED.includes(path.split('/')[0]!);
  return { ...entry, header: { ...entry.header, name: isBelowLink ? `usr/${path}` : path } };
}

/** As update-ca-certificates(8) joins them when the package is installed. */
function certificatesOf(all: readonly ParsedTarEntryWithData[]): string {
  const ofAuthorities = all.filter(({ header }) =>
    /^usr\/share\/ca-certificates\/mozilla\/.*\.crt$/.test(header.name),
  );
  const texts = ofAuthorities.map(({ data }) => `${Buffer.from(data!).toString('utf8').trim()}\n`);
  if (texts.length === 0) throw new Error('ca-certificates holds no certificate');
  return texts.sort().join('');
}

/** Adds the directories, in the order in which they can be unpacked. */
function complete(entries: readonly Entry[]): Entry[] {
  const byPath = new Map(entries.map((entry) => [entry.header.name, entry]));
  for (const path of byPath.keys()) {
    for (let above = posix.dirname(path); above !== '.'; above = posix.dirname(above)) {
      if (!byPath.has(`${above}/`)) byPath.set(`${above}/`, directory(above, 0o755));
    }
  }
  return [...byPath.values()].sort((a, b) => (a.header.name < b.header.name ? -1 : 1));
}

function plainHeader({ name, type, mode, size, linkname }: TarHeader): TarHeader {
  return header({
    name,
    size,
    ...(type !== undefined && { type }),
    ...(mode !== undefined && { mode }),
    ...(linkname !== undefined && { linkname }),
  });
}

export function file(name: string, body: string | Uint8Array, mode = 0o644): Entry {
  return { header: header({ name, mode, size: Buffer.byteLength(body) }), body };
}

function directory(name: string, mode: number): Entry {
  return { header: header({ name: `${name}/`, type: 'directory', mode, size: 0 }) };
}

function link(name: string, linkname: string): Entry {
  return { header: header({ name, type: 'symlink', mode: 0o777, linkname, size: 0 }) };
}

/** Everything is root's and of no time: the same archive from every build. */
function header(fields: TarHeader): TarHeader {
  return { ...fields, uid: 0, gid: 0, mtime: new Date(0) };
}
