// Gets every server that the tests know, and says in a line each where it came from.
// With ETCDKEEP_REQUIRE_ALL=1 one that cannot be had is a failure.
import { BBOLT_VERSION, prepareBbolt } from './bbolt.ts';
import { prepareRelease } from './binaries.ts';
import { KUBERNETES_VERSION, prepareApiServer } from './kubernetes.ts';
import { preparePromtool } from './promtool.ts';
import { ETCD_VERSIONS } from './versions.ts';

let missing = 0;

async function prepare(
  server: string,
  get: () => Promise<{ readonly source: string } | { readonly reason: string }>,
): Promise<void> {
  const start = performance.now();
  const found = await get();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if ('source' in found) {
    console.log(`${server}: from ${found.source}, ${seconds} s`);
  } else {
    missing += 1;
    console.log(`${server}: cannot be had, ${found.reason} (${seconds} s)`);
  }
}

for (const version of ETCD_VERSIONS) {
  await prepare(`etcd ${version}`, async () => {
    const found = await prepareRelease(version);
    return 'binaries' in found ? found.binaries : found;
  });
}
await prepare(`bbolt ${BBOLT_VERSION}`, prepareBbolt);
await prepare(`kube-apiserver ${KUBERNETES_VERSION}`, prepareApiServer);
await prepare('promtool', preparePromtool);

if (missing > 0 && process.env.ETCDKEEP_REQUIRE_ALL === '1') {
  console.error(`${missing} servers cannot be had`);
  process.exitCode = 1;
}
