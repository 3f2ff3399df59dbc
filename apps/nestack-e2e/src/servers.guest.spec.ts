import { afterAll, beforeAll } from '@jest/globals';
import { Cloud, REAL } from './cloud';
import { mainJob } from './guests/main-job';
import { serverLife } from './guests/server-life';

/** What users do with real servers, one thing after the other on one cloud. */
let cloud: Cloud;

beforeAll(async () => {
  cloud = await Cloud.up(REAL);
}, 600_000);

afterAll(async () => {
  await cloud.reset();
}, 180_000);

mainJob(() => cloud);
serverLife(() => cloud);
