import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default', './test/servers/reporter.ts'],
    // Every worker of the end-to-end tests runs servers of its own, and waits for them half of its time.
    maxWorkers: 3,
    projects: [
      // Property tests may share two cores with real servers.
      {
        extends: true,
        test: { name: 'unit', include: ['src/**/*.test.ts'], testTimeout: 20_000 },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/**/*.test.ts'],
          // What is built first, and what takes a node, have configurations of their own.
          exclude: ['test/executable/**', 'test/node/**'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
