import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { distributionPython, newestPython } from './client/installed';
import { Cloud, SIMULATED } from './cloud';
import { computeWeek } from './week/compute';
import { identityWeek } from './week/identity';
import { imageWeek } from './week/image';
import { leftOut } from './week/left-out';
import { networkWeek } from './week/network';
import { placementWeek } from './week/placement';
import { volumeWeek } from './week/volume';
import { volumeCopiesWeek } from './week/volume-copies';
import { Week } from './week/week';

/**
 * What users do in an ordinary week, with every command of the client that the cloud has an answer for, each looked at as a
 * user would: with the distribution's client and with the newest.
 */
jest.setTimeout(300_000);
// Each step builds on those before it, so one alone has no second try.
jest.retryTimes(0);

let cloud: Cloud;

beforeAll(async () => {
  cloud = await Cloud.up(SIMULATED);
}, 240_000);

afterAll(async () => {
  await cloud.reset();
}, 120_000);

const AREAS = [identityWeek, imageWeek, networkWeek, volumeWeek, volumeCopiesWeek, computeWeek, placementWeek];

const CLIENTS = [
  { label: 'distribution', python: async () => distributionPython() },
  { label: 'newest', python: newestPython },
] as const;

describe.each(CLIENTS)('an ordinary week with the $label client', ({ label, python }) => {
  const week = new Week(label);

  beforeAll(async () => {
    await week.start(cloud, await python());
  }, 600_000);

  afterAll(async () => {
    await week.end();
  });

  for (const area of AREAS) area(week);

  it('has run every command but those that are left out for a reason', () => {
    expect(week.notRun().filter((command) => leftOut(command, label) === null)).toEqual([]);
  });
});
