// Tests on a real control plane of one node: npm run test:node.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  test: {
    reporters: ['default', './test/servers/reporter.ts'],
    include: ['test/node/**/*.test.ts'],
    globalSetup: ['test/node/remove-leftovers.ts'],
    // Each file has a node of its own, which waits more than it works.
    maxWorkers: 3,
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
