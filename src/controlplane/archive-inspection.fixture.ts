// For tests: an archive of an OpenShift host in which nothing is wrong, member by member.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificatePair, type PairOptions } from '../../test/fixtures/certificates.ts';
import { Random } from '../../test/fixtures/random.ts';
import { type HandMadeMember, tarGzOf } from '../../test/fixtures/tar.ts';
import { type ArchiveRule } from './archive-finding.ts';
import {
  type ArchiveInspection,
  type ArchiveInspectionRequest,
  inspectArchive,
} from './archive-inspection.ts';
import { encryptionConfig, temporaryDirectory } from './host.fixture.ts';

export const NOW = new Date('2026-11-24T12:00:00Z');
export const PODS = {
  'kube-apiserver-pod': 14,
  'kube-controller-manager-pod': 5,
  'kube-scheduler-pod': 7,
  'etcd-pod': 3,
} as const;
export const ETCD = 'static-pod-resources/etcd-pod-3';
export const API = 'static-pod-resources/kube-apiserver-pod-14';
export const CONFIG = `${API}/secrets/encryption-config/encryption-config`;
export const SECRET = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I=';

const pairs = new Random(9);
export const pair = (options?: PairOptions) => certificatePair(pairs, options);
export const PEER = pair({ commonName: 'peer', validity: ['260101000000Z', '270301000000Z'] });

/** What a sound archive of an OpenShift host holds, by path. */
export const SOUND: Readonly<Record<string, string | Buffer>> = {
  ...Object.fromEntries(
    Object.entries(PODS).map(([name, n]) => [
      `static-pod-resources/${name}-${n}/${name}.yaml`,
      `# ${name}\n`,
    ]),
  ),
  [`${ETCD}/configmaps/etcd-all-bundles/server-ca-bundle.crt`]: Buffer.concat([
    pair({ commonName: 'new signer', isAuthority: true })['tls.crt'],
    // An old one stays in the bundle.
    pair({
      commonName: 'old signer',
      isAuthority: true,
      validity: ['200101000000Z', '210101000000Z'],
    })['tls.crt'],
  ]),
  [`${ETCD}/secrets/etcd-all-certs/etcd-peer-a.crt`]: PEER['tls.crt'],
  [`${ETCD}/secrets/etcd-all-certs/etcd-peer-a.key`]: PEER['tls.key'],
  [`${API}/secrets/serving/tls.crt`]: pair()['tls.crt'],
  'static-pod-resources/kube-controller-manager-pod-5/secrets/sa/service-account.key':
    pair()['tls.key'],
  [CONFIG]: encryptionConfig(SECRET, SECRET),
};

export const membersOf = (tree: Readonly<Record<string, string | Buffer>>): HandMadeMember[] =>
  Object.entries(tree).map(([path, body]) => {
    // Longer than its field, so the directory goes where ustar has it.
    const cut = path.lastIndexOf('/');
    return path.length <= 100
      ? { path, body }
      : { path: path.slice(cut + 1), prefix: path.slice(0, cut), body };
  });

export async function inspect(
  archive: Buffer,
  request: Partial<ArchiveInspectionRequest> = {},
): Promise<ArchiveInspection> {
  const path = join(await temporaryDirectory(), 'static_kuberesources.tar.gz');
  writeFileSync(path, archive);
  return inspectArchive({ path, now: NOW, ...request });
}

export const inspectWith = (...more: (HandMadeMember | Buffer)[]): Promise<ArchiveInspection> =>
  inspect(tarGzOf(...membersOf(SOUND), ...more));

export const rulesOf = ({ findings }: ArchiveInspection): ArchiveRule[] =>
  findings.map(({ rule }) => rule);
