export * from './surface';
export { BASE_RULES } from './base-rules';
export { createPolicy, readPolicyFile, type PolicyOptions } from './enforcer';
export { parseCheck, PolicySyntaxError, type Check } from './parser';
