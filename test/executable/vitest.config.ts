// Tests of what `npm run build` makes, and the tests of the commands once more, with the executable in the place of bin/etcdkeep.
import { defineConfig } from 'vitest/config';
import { EXECUTABLE } from './built.ts';

/** One file of tests at least for each command. */
const COMMANDS = [
  'authorities',
  'backup',
  'check',
  'drill-etcd',
  'interruption',
  'quorum-restore',
  'restore-plan',
  'snapshot-check',
  'snapshot-defrag',
  'snapshot-hashkv',
  'snapshot-restore',
  'snapshot-status',
  'snapshot-stream',
  'terminal',
  'usage',
  'verify',
];

export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  test: {
    reporters: ['default', './test/servers/reporter.ts'],
    maxWorkers: 2,
    include: [
      'test/executable/*.test.ts',
      ...COMMANDS.map((command) => `test/cli/${command}.test.ts`),
    ],
    env: { ETCDKEEP_PROGRAM: EXECUTABLE },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
