import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';
import { depConstraints } from './tools/boundaries.mjs';

const shellCommands = {
  name: 'node:child_process',
  importNames: ['exec', 'execSync'],
  message: 'Commands take an argument array: use execFile or spawn, never a shell string.',
};

/** What the testing library is built on uses it in its own tests; other files of these must not (see below). */
const testedWithTesting = ['config', 'db', 'rpc', 'saga', 'app', 'http', 'auth', 'servers'].map((name) => [
  'kernel-testing',
  `kernel-${name}`,
]);
const shellRules = [{ ...shellCommands }, { ...shellCommands, name: 'child_process' }];

const noApps = { group: ['@nestack/app/*'], message: 'Libraries do not know the apps.' };
const noTesting = { group: ['@nestack/kernel/testing'], message: 'The testing library is for tests.' };

export default tseslint.config(
  { ignores: ['dist/', 'tmp/', 'node_modules/', '.nx/', '.nestack/', 'coverage/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    plugins: { '@nx': nx },
    languageOptions: {
      parserOptions: { project: ['./tsconfig.json'], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        {
          allow: ['@nestack/app/*'],
          depConstraints,
          checkDynamicDependenciesExceptions: ['.*'],
          ignoredCircularDependencies: testedWithTesting,
        },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: true }],
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/no-extraneous-class': 'off',
      'max-lines': ['error', 500],
      'no-restricted-imports': ['error', { paths: shellRules }],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'Property[key.name="shell"][value.value=true]',
          message: 'Commands take an argument array, never a shell string.',
        },
      ],
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'], location: 'start' }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    // Only apps compose other apps.
    files: ['libs/**/*.ts'],
    rules: {
      'no-restricted-imports': ['error', { paths: shellRules, patterns: [noApps] }],
    },
  },
  {
    files: ['libs/**/*.ts'],
    ignores: ['**/*.spec.ts', 'libs/*/*/test/**', 'libs/*/testing/**'],
    rules: {
      'no-restricted-imports': ['error', { paths: shellRules, patterns: [noApps, noTesting] }],
    },
  },
  {
    files: ['**/*.mjs'],
    rules: {
      'max-lines': ['error', 500],
      'no-restricted-imports': ['error', { paths: shellRules }],
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'], location: 'start' }],
      'no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  prettier,
);
