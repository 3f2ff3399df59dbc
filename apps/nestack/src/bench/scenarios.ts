import type { Scenario } from './scenario';
import { boot, idle } from './scenarios/cloud';
import { tokenIssue, tokenValidate } from './scenarios/identity';
import { imageList, upload } from './scenarios/images';
import { networkCreate } from './scenarios/networks';
import { createMany, createOne, resize, serverList, serverListLong } from './scenarios/servers';
import { volumeAttach, volumeCreate } from './scenarios/volumes';

/** All scenarios, in the order in which they run. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  boot,
  idle,
  'token-issue': tokenIssue,
  'token-validate': tokenValidate,
  'image-list': imageList,
  'network-create': networkCreate,
  'volume-create': volumeCreate,
  'volume-attach': volumeAttach,
  'create-one': createOne,
  resize,
  'create-many': createMany,
  'server-list': serverList,
  'server-list-500': serverListLong,
  upload,
};
