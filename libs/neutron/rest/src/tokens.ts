/** Injection token of `NeutronSettings`. */
export const SETTINGS = Symbol('NeutronSettings');
