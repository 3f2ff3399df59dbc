export * from './surface';
export { accessAllowed } from './access-rules';
export * from './key-store';
export * from './token-signer';
export * from './token-verifier';
export * from './token-body';
export * from './service-session';
export * from './remote-authenticator';
export { Lru } from './lru';
