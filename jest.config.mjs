/**
 * Four kinds of tests, told apart by file name: `unit` (`*.spec.ts`, pure), `integration` (`*.int.spec.ts`, with a private
 * PostgreSQL and RabbitMQ for the run), `e2e` (`*.e2e.spec.ts`, real processes and real clients) and `guests`
 * (`*.guest.spec.ts`, the same with real virtual machines).
 * Start it through `npm run jest -- ...`, which picks the node to run on and turns on ES modules.
 */
const shared = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  moduleNameMapper: {
    '^@nestack/app/([^/]+)$': '<rootDir>/apps/$1/src/app.module.ts',
    '^@nestack/([^/]+)/([^/]+)$': '<rootDir>/libs/$1/$2/src/index.ts',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        module: { type: 'es6' },
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: false, useDefineForClassFields: false },
        },
      },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/tmp/', '<rootDir>/\\.nestack/', '<rootDir>/\\.nx/'],
  setupFiles: ['<rootDir>/tools/jest/setup.mjs'],
};

const realProcesses = { setupFilesAfterEnv: ['<rootDir>/tools/jest/second-try.mjs'] };

const infrastructure = {
  ...realProcesses,
  globalSetup: '<rootDir>/tools/jest/global-setup.mjs',
  globalTeardown: '<rootDir>/tools/jest/global-teardown.mjs',
};

export default {
  maxWorkers: 2,
  testSequencer: '<rootDir>/tools/jest/longest-first.mjs',
  watchman: false,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/{libs,apps}/**/*.spec.ts'],
      testPathIgnorePatterns: ['\\.(int|e2e|guest)\\.spec\\.ts$', '/node_modules/'],
    },
    {
      ...shared,
      ...infrastructure,
      displayName: 'integration',
      testMatch: ['<rootDir>/{libs,apps}/**/*.int.spec.ts'],
    },
    {
      ...shared,
      ...realProcesses,
      displayName: 'e2e',
      testMatch: ['<rootDir>/apps/nestack-e2e/**/*.e2e.spec.ts'],
    },
    {
      ...shared,
      ...realProcesses,
      displayName: 'guests',
      testMatch: ['<rootDir>/apps/nestack-e2e/**/*.guest.spec.ts'],
    },
  ],
};
