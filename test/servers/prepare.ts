// Gets every etcd release that the tests know, and says in a line each where it came from.
// With ETCDKEEP_REQUIRE_ALL=1 a release that cannot be had is a failure.
import { prepareRelease } from './binaries.ts';
import { ETCD_VERSIONS } from './versions.ts';

let missing = 0;
for (const version of ETCD_VERSIONS) {
  const start = performance.now();
  const found = await prepareRelease(version);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if ('binaries' in found) {
    console.log(`etcd ${found.binaries.version}: from ${found.binaries.source}, ${seconds} s`);
  } else {
    missing += 1;
    console.log(`etcd ${version}: cannot be had, ${found.reason} (${seconds} s)`);
  }
}
if (missing > 0 && process.env.ETCDKEEP_REQUIRE_ALL === '1') {
  console.error(`${missing} of ${ETCD_VERSIONS.length} etcd versions cannot be had`);
  process.exitCode = 1;
}
