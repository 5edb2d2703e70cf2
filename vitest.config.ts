import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const lib = (name: string) => fileURLToPath(new URL(`./libs/${name}/src/index.ts`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: {
      '@symphony/model': lib('model'),
      '@symphony/expressions': lib('expressions'),
      '@symphony/planning': lib('planning'),
      // Before the package itself, whose name is a prefix of it.
      '@symphony/provider-kit/conformance': fileURLToPath(
        new URL('./libs/provider-kit/src/conformance.ts', import.meta.url),
      ),
      '@symphony/provider-kit': lib('provider-kit'),
    },
  },
  test: {
    include: ['libs/*/test/**/*.test.ts', 'src/**/*.test.ts', 'test/**/*.test.ts'],
    setupFiles: ['reflect-metadata'],
    globalSetup: ['test/support/postgres.setup.ts', 'test/support/kubernetes.setup.ts'],
    pool: 'forks',
    // Many tests wait for a real thing most of their time: one at a time would leave a small machine idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Where a test waits by `expect.poll`, a busy machine must not be what fails it.
    expect: { poll: { timeout: 30_000 } },
    retry: 0,
    allowOnly: false,
  },
});
