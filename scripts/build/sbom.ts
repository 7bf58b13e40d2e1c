// What an executable or an image is made of, as CycloneDX JSON: the npm packages that something in it is of, Node with
// all that is linked into it, and an image's Debian packages. Without a serial number and a time: two builds are the same.

import type { Architecture } from './architectures.ts';
import type { DebianPackage } from './debian.ts';
import { lockedPackage, type Runtime } from './runtime.ts';

/** The part of a CycloneDX component that is used here. */
interface Component {
  readonly type: 'library' | 'platform';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly cpe?: string;
  readonly hashes?: readonly { readonly alg: 'SHA-256' | 'SHA-512'; readonly content: string }[];
  readonly licenses?: readonly { readonly expression: string }[];
  readonly components?: readonly Component[];
}

export interface Contents {
  readonly home: string;
  readonly version: string;
  readonly architecture: Architecture;
  /** Names of npm packages. */
  readonly packages: readonly string[];
  readonly runtime: Runtime;
}

/** Of the program itself, and of the interfaces that Node has: no software of their own. */
const NO_PARTS = new Set(['node', 'modules', 'napi']);

/** @param system an image's packages; none of an executable, which has none inside */
export async function makeSbom(
  { home, version, architecture, packages, runtime }: Contents,
  system: readonly DebianPackage[] = [],
): Promise<string> {
  // Not from `npm sbom --omit=dev`: npm 11 leaves out what a development tool needs as well, though it is bundled.
  const ofNpm = await Promise.all(packages.map((name) => npmComponent(home, name)));
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: {
        type: system.length === 0 ? 'application' : 'container',
        'bom-ref': 'etcdkeep',
        name: 'etcdkeep',
        version,
        licenses: [{ expression: 'Apache-2.0' }],
        properties: [{ name: 'architecture', value: architecture }],
      },
    },
    components: [...ofNpm, nodeComponent(runtime), ...system.map(debianComponent)],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** What the lock file says of a package that is bundled. */
async function npmComponent(home: string, name: string): Promise<Component> {
  const { version, integrity, license } = await lockedPackage(home, name);
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const digest = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex');
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    hashes: [{ alg: 'SHA-512', content: digest }],
    licenses: [{ expression: license }],
  };
}

/** The parts of Node are those of this one, which is of the same version. */
function nodeComponent({ version }: Runtime): Component {
  const parts = Object.entries(process.versions as Record<string, string>)
    .filter(([name]) => !NO_PARTS.has(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    type: 'platform',
    'bom-ref': `pkg:generic/node@${version}`,
    name: 'node',
    version,
    purl: `pkg:generic/node@${version}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    licenses: [{ expression: 'MIT' }],
    components: parts.map(([name, partVersion]) => ({
      type: 'library',
      'bom-ref': `node/${name}`,
      name,
      version: partVersion,
      purl: `pkg:generic/${name}@${encodeURIComponent(partVersion)}`,
    })),
  };
}

function debianComponent({ name, version, architecture, sha256 }: DebianPackage): Component {
  const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`;
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    hashes: [{ alg: 'SHA-256', content: sha256 }],
  };
}
