// One backup that is taken from a workstation, with what its parts cost: a process of its own for bench/home.ts.
//
//   node bench/home-run.ts KUBECONFIG DIR

import type { RemoteEvent } from '../src/backup/remote/events.ts';
import { takeThroughApi } from '../src/backup/remote/take-from-node.ts';
import { ApiClient } from '../src/kubernetes/api-client.ts';
import { findApiAccess } from '../src/kubernetes/kubeconfig-files.ts';
import { EXECUTABLE } from './executable.ts';

/** In milliseconds and bytes. */
export interface HomeRun {
  readonly sentBytes: number;
  readonly sentMs: number;
  /** Of the backup, from when it is asked for to its last byte. */
  readonly bytes: number;
  readonly homeMs: number;
  /** Peak memory, until then. */
  readonly peakBytes: number;
}

async function main([kubeconfig, directory]: readonly string[]): Promise<HomeRun> {
  const { signal } = new AbortController();
  const access = await findApiAccess({ kubeconfig, context: undefined, env: {} });
  const api = new ApiClient(access, { proxy: undefined, timeoutMs: 30_000, signal });
  const moments = new Map<string, number>();
  let [sentBytes, bytes, peakBytes] = [0, 0, 0];
  const report = (event: RemoteEvent): void => {
    if (event.kind === 'executable-sent') sentBytes = event.bytes;
    if (event.kind !== 'fetching') {
      moments.set(event.kind, performance.now());
      return;
    }
    if (event.bytes === 0) moments.set('asked', performance.now());
    if (event.bytes < event.totalBytes) return;
    bytes = event.bytes;
    moments.set('home', performance.now());
    peakBytes = process.resourceUsage().maxRSS * 1024;
  };
  await takeThroughApi({
    api,
    directory,
    node: undefined,
    podNamespace: undefined,
    image: undefined,
    owner: 'bench',
    resourcesDirectory: undefined,
    leaveOnNode: undefined,
    flags: [],
    executableFor: () => Promise.resolve(EXECUTABLE),
    tool: 'bench',
    now: () => new Date(),
    report,
    signal,
  });
  api.close();
  const between = (from: string, to: string): number => moments.get(to)! - moments.get(from)!;
  return {
    sentBytes,
    sentMs: between('node-reached', 'executable-sent'),
    bytes,
    homeMs: between('asked', 'home'),
    peakBytes,
  };
}

console.log(JSON.stringify(await main(process.argv.slice(2))));
