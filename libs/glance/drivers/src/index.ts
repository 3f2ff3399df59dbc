export { FileImageStore } from './file-image-store';
export { Hasher } from './hasher';
export { HttpWebSource, type WebImportRules } from './http-web-source';
