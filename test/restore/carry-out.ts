// Carries out the plan of a restore in a process of its own: `act.ts carry-out|resume|rollback ROOT LAYOUT [PLAN.json|STAMP]`.
// What it reports it prints, a line of JSON for each event.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildFromSnapshot } from '../../src/backup/restore/build-from-snapshot.ts';
import { carryOut, resume } from '../../src/backup/restore/carry-out.ts';
import type { RestorePlan } from '../../src/backup/restore/plan.ts';
import { rollBack } from '../../src/backup/restore/rollback.ts';
import { carryOutByVendor } from '../../src/backup/restore/vendor.ts';
import { EtcdkeepError } from '../../src/base/errors.ts';
import { renderError } from '../../src/cli/error-screen.ts';
import { Host, type LayoutName } from '../../src/controlplane/host.ts';

const [action, root, layout, what] = process.argv.slice(2);
const host = new Host(root!, layout as LayoutName);

const controller = new AbortController();
process.once('SIGINT', () =>
  controller.abort(new EtcdkeepError('interrupted', 'stopped by SIGINT')),
);
process.once('SIGTERM', () =>
  controller.abort(new EtcdkeepError('terminated', 'stopped by SIGTERM')),
);

const options = {
  build: buildFromSnapshot,
  report: (event: unknown) => void process.stdout.write(`${JSON.stringify(event)}\n`),
  now: () => new Date(),
  signal: controller.signal,
  stopTimeoutMs: Number(process.env.STOP_TIMEOUT_MS ?? 20_000),
  pollMs: 100,
};

async function act(): Promise<unknown> {
  if (action === 'resume') return await resume(host, what, options);
  if (action === 'rollback') return await rollBack(host, what, options);
  const plan = JSON.parse(readFileSync(what!, 'utf8')) as RestorePlan;
  if (plan.method === 'vendor') return await carryOutByVendor(host, plan, options);
  return await carryOut(host, plan, options);
}

try {
  const result = await act();
  const text = JSON.stringify(result, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}` : value,
  );
  process.stdout.write(`${text}\n`);
} catch (reason) {
  process.stderr.write(`${renderError(reason)}\n`);
  process.exitCode = reason instanceof EtcdkeepError ? reason.exitCode : 1;
  await sleep(0);
}
