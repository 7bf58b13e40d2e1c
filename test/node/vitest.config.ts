// Tests on a real control plane of one node, one after the other: npm run test:node.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  test: {
    reporters: ['default', './test/servers/reporter.ts'],
    include: ['test/node/**/*.test.ts'],
    globalSetup: ['test/node/remove-leftovers.ts'],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
