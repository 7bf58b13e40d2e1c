// The files of a host and of a backup that are text. An error quotes nothing of a file that holds keys.

import { readFileSync } from 'node:fs';
import { decodeMetrics, encodeMetrics, metricsAfter } from '../../../src/backup/metrics.ts';
import { EtcdkeepError } from '../../../src/base/errors.ts';
import { proxyFor } from '../../../src/base/proxy-rules.ts';
import { Host } from '../../../src/controlplane/host.ts';
import { PodManifest } from '../../../src/controlplane/kubeadm/manifest.ts';
import { parseEtcdEnv } from '../../../src/controlplane/openshift/etcd-env.ts';
import { readProxy } from '../../../src/controlplane/proxy.ts';
import { memberJson, newCluster } from '../../../src/etcd/datadir/new-member.ts';
import { parseInitialCluster } from '../../../src/etcd/datadir/peer-urls.ts';
import {
  parseEncryptionConfig,
  summarizeEncryption,
} from '../../../src/kubernetes/encryption-config.ts';
import { readKubeconfig } from '../../../src/kubernetes/kubeconfig.ts';
import { decodeRecord, encodeRecord } from '../../../src/record/record.ts';
import { encryptionConfig } from '../../fixtures/encryption.ts';
import { kubeconfigText } from '../../fixtures/kubeconfig.ts';
import { etcdEnvFile, etcdEnvironment } from '../../fixtures/openshift-etcd-env.ts';
import { mutateText } from '../mutate-text.ts';
import { attempt, demand, show, type Target } from '../target.ts';

/** Stands for whatever is secret in a file; no mutation makes a word of it that another file has. */
const SECRET = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I=';

const KNOWN_BY = SECRET.slice(0, 8);

/** Whether no mutation has made a name of it. */
function isInItsPlace(text: string): boolean {
  const elsewhere = text.split(KNOWN_BY).slice(0, -1);
  const field = /(?:^|[{,])[\s-]*["']?[\w-]*(?:secret|token|data|key)["']? ?[:=] ?["']?$/;
  return elsewhere.every((before) => field.test(before.slice(before.lastIndexOf('\n') + 1)));
}

/** What a library warns of goes to stderr past us, and may quote the file. */
async function withoutWarnings<T>(call: () => Promise<T>): Promise<T> {
  const emitWarning = process.emitWarning.bind(process);
  const warnings: unknown[] = [];
  process.emitWarning = (warning: unknown) => void warnings.push(warning);
  try {
    return await call();
  } finally {
    process.emitWarning = emitWarning;
    demand(warnings.length === 0, `it is warned: ${String(warnings[0])}`);
  }
}

function textTarget(
  name: string,
  codes: readonly string[],
  seeds: () => readonly string[],
  read: (text: string) => unknown,
): Target {
  let made: readonly Buffer[] | undefined;
  return {
    name,
    weight: 4,
    make(random) {
      made ??= seeds().map((text) => Buffer.from(text));
      return mutateText(random.pick(made), random);
    },
    async run(input) {
      const text = Buffer.from(input).toString('utf8');
      const outcome = await withoutWarnings(() => attempt(() => read(text), ...codes));
      if ('value' in outcome) return 'read';
      if (isInItsPlace(text)) {
        demand(!outcome.message.includes(KNOWN_BY), `it is quoted: ${outcome.message}`);
      }
      return outcome.code;
    },
  };
}

const fixture = (path: string): string =>
  readFileSync(new URL(`../../fixtures/${path}`, import.meta.url), 'utf8');

const DIGEST = '0123456789abcdef'.repeat(4);
const RECORD = {
  schema: 'etcdkeep.backup/v1',
  stamp: '2026-11-23_145301',
  tool: 'etcdkeep 0.1.0',
  cluster: { id: 'cdf818194e3a8c32', name: 'a', version: '4.20', platform: 'None' },
  host: { name: 'ip-10-0-1-2', layout: 'openshift' },
  member: {
    id: '8e9e05c52164694d',
    name: 'ip-10-0-1-2',
    endpoint: 'https://10.0.1.2:2379',
    version: '3.6.16',
    raftTerm: '7',
    raftIndex: '18446744073709551615',
  },
  snapshot: {
    file: 'snapshot_2026-11-23_145301.db',
    bytes: 1_282_764_832,
    sha256: DIGEST,
    trailer: DIGEST,
    revision: '420740',
    compactRevision: '0',
    keys: 287_280,
  },
  resources: {
    file: 'static_kuberesources_2026-11-23_145301.tar.gz',
    bytes: 87_040,
    sha256: DIGEST,
    pods: [{ name: 'etcd-pod', revision: 3, path: '/etc/kubernetes/etcd-pod-3' }],
    members: [{ path: 'etcd-pod-3/etcd-pod.yaml', bytes: 9, mode: '0600', sha256: DIGEST }],
    encryption: { on: true, providers: ['aescbc'], keyNames: ['7'] },
  },
  checks: [{ name: 'space', severity: 'refuse', result: 'passed', evidence: '61 GB free' }],
  skipped: [],
  started: '2026-11-23T14:53:01.123Z',
  finished: '2026-11-23T14:53:09+01:00',
  verdicts: [],
};

const record = textTarget(
  'record',
  ['record-invalid'],
  () => [`${JSON.stringify(RECORD, null, 2)}\n`, JSON.stringify(RECORD)],
  (text) => {
    const decoded = decodeRecord(text, '/backup.json');
    demand(
      show(decodeRecord(encodeRecord(decoded), '/backup.json')) === show(decoded),
      'what is written of it reads otherwise',
    );
  },
);

/** The same file as YAML, as people write it. */
const ENCRYPTION_YAML = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets, "*.apps"]
    providers:
      - aescbc:
          keys: &keys
            - name: key1
              secret: ${SECRET}
      - secretbox: {keys: *keys}
      - kms: {apiVersion: v2, name: vault, endpoint: unix:///kms.sock}
      - identity: {}
`;

const encryption = textTarget(
  'encryption-config',
  ['encryption-config-invalid'],
  () => [encryptionConfig([{ name: '3', secret: Buffer.from(SECRET, 'base64') }]), ENCRYPTION_YAML],
  (text) => {
    const config = parseEncryptionConfig(text, '/encryption-config');
    const said = show([config, summarizeEncryption(config)]);
    demand(!isInItsPlace(text) || !said.includes(KNOWN_BY), 'a secret has left the parser');
  },
);

const KUBECONFIG_YAML = `apiVersion: v1
kind: Config
current-context: admin
contexts: [{name: admin, context: {cluster: local, user: someone}}]
clusters:
- name: local
  cluster: {server: "https://localhost:6443", certificate-authority: ca.crt, tls-server-name: api}
users:
- name: someone
  user: {token: ${SECRET}, client-certificate: /a.crt, client-key: a.key}
`;

const kubeconfig = textTarget(
  'kubeconfig',
  ['kubeconfig-invalid'],
  () => {
    const pem = Buffer.from(SECRET, 'base64');
    return [
      kubeconfigText({ server: 'https://[::1]:6443', ca: pem, cert: pem, key: pem }),
      KUBECONFIG_YAML,
    ];
  },
  async (text) => {
    const { server } = await readKubeconfig(text, '/kubeconfig', () => Promise.resolve('file'));
    demand(server.protocol === 'https:', `the server is at ${server.href}`);
  },
);

const etcdEnv = textTarget(
  'etcd-env',
  ['etcd-env-invalid'],
  () => [
    etcdEnvFile(
      etcdEnvironment('master-0.example', [
        { nodeName: 'master-0.example', address: '10.0.0.1' },
        { nodeName: 'master-1.example', address: 'fd00::2' },
      ]),
    ),
    "export ETCDCTL_CACERT='/a b'\\''c' # comment\nETCDCTL_CERT=\"/x\\\n\\$y\"\nETCDCTL_KEY=/k\nNODE_a_ETCD_NAME=a\nNODE_a_IP=::1\n",
  ],
  (text) => {
    const { cacert, cert, key, nodes } = parseEtcdEnv(text, '/etcd.env');
    demand(
      [cacert, cert, key].every((path) => path.startsWith('/')),
      'a path is relative',
    );
    for (const { urlHost } of nodes) {
      demand(
        /^(\[[\d:a-f.]+(%.+)?\]|[A-Za-z0-9][A-Za-z0-9.-]*)$/i.test(urlHost),
        `node ${urlHost}`,
      );
    }
  },
);

const HOST = new Host('/', 'kubeadm');
const manifest = textTarget(
  'manifest',
  ['manifest-invalid'],
  () =>
    ['v1.36.3/etcd', 'v1.29.15/etcd', 'v1.36.3/kube-apiserver-encrypted'].map((name) =>
      fixture(`kubeadm/${name}.yaml`),
    ),
  (text) => {
    const pod = new PodManifest(HOST, '/etc/kubernetes/manifests/etcd.yaml', text);
    for (const path of [pod.demand('cert-file'), ...pod.hostPaths]) {
      demand(typeof path === 'string', 'a path is no text');
    }
    pod.onHost(pod.demand('trusted-ca-file'));
  },
);

/** A host whose only file is the one for its proxy. */
class ProxyHost extends Host {
  readonly #text: string;

  constructor(text: string) {
    super('/', 'openshift');
    this.#text = text;
  }

  override isFile(): Promise<boolean> {
    return Promise.resolve(true);
  }

  override readText(): Promise<string> {
    return Promise.resolve(this.#text);
  }
}

const proxy = textTarget(
  'proxy',
  ['proxy-invalid'],
  () => [
    `HTTP_PROXY=http://user:${SECRET}@proxy:3128\nHTTPS_PROXY="http://user:${SECRET}@[fd00::1]:3128"\nNO_PROXY=.svc,10.0.0.0/16,fd00::/48,10.1.2.3:6443,*.example.com,[::2]:1,localhost\n`,
  ],
  async (text) => {
    const settings = await readProxy(new ProxyHost(text));
    if (settings === undefined) return;
    for (const url of [
      'https://api.example:6443/',
      'http://10.0.0.7/',
      'https://[fd00::9]:6443/',
    ]) {
      proxyFor(new URL(url), settings);
    }
    demand(proxyFor(new URL('https://127.0.0.1/'), settings) === undefined, 'itself by a proxy');
  },
);

const initialCluster = textTarget(
  'initial-cluster',
  ['initial-cluster-invalid'],
  () => [
    'a=https://10.0.0.1:2380,b=https://[fd00::2%25eth0]:2380,a=http://master-0.example.org:2380',
    'default=http://localhost:2380,c=unix://c:0,d=unixs:///run/d',
  ],
  (text) => {
    const members = parseInitialCluster(text, '--initial-cluster');
    const urls = [...members.values()].flat();
    demand(urls.length > 0 && new Set(urls).size === urls.length, 'a URL is there twice, or none');
    const { id, members: made } = newCluster(members, 'token');
    demand(id > 0n && made.length === members.size, 'a member is missing');
    for (const member of made) JSON.parse(memberJson(member).toString());
    // What etcd makes of a URL that was parsed is the same URL.
    const again = [...members].flatMap(([name, own]) => own.map((url) => `${name}=${url}`));
    const parsedAgain = parseInitialCluster(again.join(), '--initial-cluster');
    demand(show([...parsedAgain]) === show([...members]), 'it is not what it was parsed from');
  },
);

const RUN = { began: new Date(1_795_445_581_123), durationMs: 8123 };
const BACKUP = { snapshotBytes: 1_282_764_832, resourcesBytes: 87_040, revision: '420740' };

const metrics = textTarget(
  'metrics',
  ['target-exists'],
  () => [encodeMetrics(metricsAfter({}, { ...RUN, exitCode: 0, backup: BACKUP }))],
  (text) => {
    const before = decodeMetrics(text);
    // As the file is refused that is somebody else's.
    if (before === undefined) throw new EtcdkeepError('target-exists', 'it is not ours');
    const after = metricsAfter(before, { ...RUN, exitCode: 1, backup: undefined });
    const again = decodeMetrics(encodeMetrics(after)) ?? {};
    demand(encodeMetrics(again) === encodeMetrics(after), 'what is written of it reads otherwise');
  },
);

export const TEXTS: readonly Target[] = [
  record,
  encryption,
  kubeconfig,
  etcdEnv,
  manifest,
  proxy,
  initialCluster,
  metrics,
];
