export { Argon2Hasher, type Argon2Options } from './argon2-hasher';
export { FernetCodec } from './fernet-codec';
export { FernetKeys } from './fernet-keys';
export { JwsCodec } from './jws-codec';
export { SealedVault, vaultKey } from './sealed-vault';
export { keyAge, rotateIfOld } from './key-rotation';
