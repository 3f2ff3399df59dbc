/** `npm run scenarios` writes docs/scenarios.md from the list of the book's scenarios and the tests that show them. */
import { importSource } from './import-library.mjs';
import { root } from './node.mjs';

const { writeScenarios } = await importSource('apps/nestack-e2e/src/scenarios/files.ts');
writeScenarios(root);
console.log('wrote docs/scenarios.md');
