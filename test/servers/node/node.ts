// A control plane of one node, whole and real: a kubelet runs etcd, the API server, the controller manager and the scheduler
// from their manifests, on a machine of its own.
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiRequests } from '../api-requests.ts';
import { type CommandOptions, type CommandResult, runCommand } from '../command.ts';
import { type ImageNames, imageNames, type LayoutName } from './images.ts';
import { kubeadmLayout } from './kubeadm-layout.ts';
import type { NodeLayout } from './layout.ts';
import { Machine, machinesMissing, removeMachine } from './machine.ts';
import { IMAGES_ON_NODE, type Taint, writeNode } from './node-files.ts';
import { ADMIN, makeNodePki, type NodePki } from './node-pki.ts';
import { openshiftLayout } from './openshift-layout.ts';
import { type FoundNodeParts, findNodeParts, type NodeParts } from './parts.ts';
import { claimSlot } from './slot.ts';

export interface NodeOptions {
  /** Defaults to OpenShift's. */
  readonly layout?: LayoutName;
  readonly taints?: readonly Taint[];
  /** Of the API server, which takes all of it to end. Defaults to 5; OpenShift's is 135. */
  readonly terminationGracePeriodSeconds?: number;
  /** Files and directories of this machine that the node sees, and cannot write: by their paths there, those here. */
  readonly shared?: Readonly<Record<string, string>>;
  /** Whether it stays until it is taken down by command; else it ends with this process, however that ends. */
  readonly stays?: boolean;
}

const NODE_NAMES: Readonly<Record<LayoutName, string>> = { openshift: 'master-0', kubeadm: 'cp-1' };
const LAYOUTS = { openshift: openshiftLayout, kubeadm: kubeadmLayout };

const WAIT_TIMEOUT_MS = 180_000;
const WAIT_INTERVAL_MS = 200;
const LOG_LINES = 20;
const KUBECTL_TIMEOUT_MS = 120_000;

/** What a node is made of, or one sentence that says why there can be none here. */
export async function findNode(): Promise<FoundNodeParts> {
  const reason = machinesMissing();
  return reason === undefined ? await findNodeParts() : { reason };
}

/** Starts one, and waits until it is ready and all its pods run: half a minute. Throws if that cannot be. */
export async function startNode(options: NodeOptions = {}): Promise<ControlPlaneNode> {
  const parts = await findNode();
  if ('reason' in parts) throw new Error(`no node can be had: ${parts.reason}`);
  const slot = await claimSlot();
  try {
    const { layout: layoutName = 'openshift', taints = [], shared = {} } = options;
    const nodeName = NODE_NAMES[layoutName];
    const { address } = slot;
    await mkdir(slot.directory, { mode: 0o700 });
    const pki = await makeNodePki(join(slot.directory, 'pki'), { nodeName, address });
    const images = await imageNames(parts.images, layoutName);
    const { terminationGracePeriodSeconds = 5 } = options;
    const contents = { nodeName, address, images, pki, terminationGracePeriodSeconds };
    const layout = await LAYOUTS[layoutName](contents);
    const machine = new Machine(slot, {
      hostName: nodeName,
      shared: { [IMAGES_ON_NODE]: parts.images, ...shared },
      stays: options.stays ?? false,
    });
    await writeNode(machine.root, parts, layout, { ...contents, layoutName, taints });
    const kubeconfig = join(slot.directory, 'kubeconfig');
    const url = `https://${address}:6443`;
    await writeFile(kubeconfig, await pki.kubeconfig(url, ADMIN), { mode: 0o600 });
    const admin = { ca: pki.kubernetes.cert, ...pki.admin };
    const api = new ApiRequests(url, admin);
    const node = new ControlPlaneNode({
      nodeName,
      machine,
      images,
      kubeconfig,
      api,
      pki,
      layout,
      parts,
    });
    await node.setUp();
    if (options.stays === true) await slot.handOver();
    return node;
  } catch (error) {
    await removeMachine(slot);
    throw error;
  }
}

interface NodeSettings {
  readonly nodeName: string;
  readonly machine: Machine;
  readonly images: ImageNames;
  readonly kubeconfig: string;
  readonly api: ApiRequests;
  readonly pki: NodePki;
  readonly layout: NodeLayout;
  readonly parts: NodeParts;
}

export class ControlPlaneNode implements AsyncDisposable {
  /** As the API knows it. */
  readonly nodeName: string;
  /** Full names of the images that it has. */
  readonly images: ImageNames;
  /** A file, of a cluster-admin, with the address that is reached from here. */
  readonly kubeconfig: string;
  /** Requests as that cluster-admin. */
  readonly api: ApiRequests;
  /** Its authorities and certificates. */
  readonly pki: NodePki;
  readonly #machine: Machine;
  readonly #layout: NodeLayout;
  readonly #parts: NodeParts;
  #startedMs = 0;

  constructor(settings: NodeSettings) {
    this.nodeName = settings.nodeName;
    this.images = settings.images;
    this.kubeconfig = settings.kubeconfig;
    this.api = settings.api;
    this.pki = settings.pki;
    this.#machine = settings.machine;
    this.#layout = settings.layout;
    this.#parts = settings.parts;
  }

  /** Its number, by which it is taken down. */
  get number(): number {
    return this.#machine.slot.number;
  }

  /** Where the node is reached from here, and this machine from there. */
  get address(): string {
    return this.#machine.slot.address;
  }

  get machineAddress(): string {
    return this.#machine.slot.machineAddress;
  }

  /** A path on the node, as seen from here: `path('var/lib/etcd')`. Not what is mounted on the node. */
  path(...parts: string[]): string {
    return join(this.#machine.root, ...parts);
  }

  /** What stands before a command line that is run on the node, as by ssh. */
  get launcher(): readonly string[] {
    return this.#machine.launcher;
  }

  /** Runs a program on the node, as by ssh. */
  run(args: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    return this.#machine.run(args, options);
  }

  /** The command line of kubectl here, as cluster-admin. */
  kubectlLine(args: readonly string[]): string[] {
    return [this.#parts.programs.kubectl, '--kubeconfig', this.kubeconfig, ...args];
  }

  /** Runs it. */
  kubectl(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const [file, ...rest] = this.kubectlLine(args);
    return runCommand(file!, rest, { timeoutMs: KUBECTL_TIMEOUT_MS, ...options });
  }

  /** The kubelet's service. While it is stopped, the pods run on, and nobody looks after them. */
  readonly kubelet = {
    stop: () => this.#must('touch /run/kubelet.stopped && kill -KILL $(cat /run/kubelet.pid)'),
    start: () => this.#must('rm -f /run/kubelet.stopped'),
    /** It is started again at once. */
    kill: () => this.#must('kill -KILL $(cat /run/kubelet.pid)'),
  };

  /** Ends every process at once. What the kernel still has in memory is not lost. */
  async powerCut(): Promise<void> {
    await this.#machine.powerOff();
  }

  /** Starts it again after a power cut, and waits until it is ready. */
  async powerOn(): Promise<void> {
    await this.#start();
    await this.waitUntilReady();
  }

  /** Waits until the API server is ready. */
  async waitForApi(): Promise<void> {
    await this.#waitUntil('has a ready API', () => this.api.isReady());
  }

  /** Waits until the node is ready and its static pods have been started since the machine was. */
  async waitUntilReady(): Promise<void> {
    await this.waitForApi();
    await this.#waitUntil('is ready with all its pods', () => this.#isReady());
  }

  /** The first start. */
  async setUp(): Promise<void> {
    await this.#start();
    await this.waitForApi();
    await this.#layout.prepareApi(this.api);
    for (const [path, text] of Object.entries(this.#layout.laterManifests)) {
      // The kubelet must never see half a manifest.
      const temporary = this.path('etc/kubernetes/new-manifest');
      await writeFile(temporary, text, { mode: 0o600 });
      await rename(temporary, this.path(path));
    }
    await this.waitUntilReady();
    await this.#layout.completeApi(this.api);
  }

  /** Takes it down, and leaves nothing of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await removeMachine(this.#machine.slot);
  }

  async #start(): Promise<void> {
    // The API has seconds.
    this.#startedMs = Math.floor(Date.now() / 1000) * 1000;
    await this.#machine.powerOn();
  }

  async #isReady(): Promise<boolean> {
    const get = (path: string): Promise<ApiObject | undefined> =>
      this.api.request('GET', `/api/v1/${path}`).then(
        (object) => object as ApiObject,
        () => undefined,
      );
    if (!isConditionTrue(await get(`nodes/${this.nodeName}`))) return false;
    for (const { namespace, name } of this.#layout.staticPods) {
      const pod = await get(`namespaces/${namespace}/pods/${name}`);
      if (!isConditionTrue(pod) || !this.#runsSinceStart(pod)) return false;
    }
    return true;
  }

  #runsSinceStart(pod: ApiObject | undefined): boolean {
    const containers = pod?.status?.containerStatuses ?? [];
    return containers.every(({ state }) => {
      const startedAt = state?.running?.startedAt;
      return startedAt !== undefined && Date.parse(startedAt) >= this.#startedMs;
    });
  }

  async #must(script: string): Promise<void> {
    const { code, stderr } = await this.run(['sh', '-c', script]);
    if (code !== 0) throw new Error(`on the node, ${script}: ${stderr}`);
  }

  async #waitUntil(what: string, condition: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + WAIT_TIMEOUT_MS;
    while (!(await condition())) {
      if (!this.#machine.isOn || performance.now() > deadline) {
        throw new Error(`the node never ${what}:\n${this.#logTails()}`);
      }
      await sleep(WAIT_INTERVAL_MS);
    }
  }

  #logTails(): string {
    const logs = ['node-init', 'containerd', 'kubelet'].map((name) => `var/log/${name}.log`);
    const written = logs.filter((log) => existsSync(this.path(log)));
    return written
      .map((log) => {
        const lines = readFileSync(this.path(log), 'utf8').trimEnd().split('\n');
        return [`${log}:`, ...lines.slice(-LOG_LINES)].join('\n');
      })
      .join('\n');
  }
}

/** As far as it tells of readiness. */
interface ApiObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly {
      readonly state?: { readonly running?: { readonly startedAt?: string } };
    }[];
  };
}

function isConditionTrue(object: ApiObject | undefined): boolean {
  const conditions = object?.status?.conditions ?? [];
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}
