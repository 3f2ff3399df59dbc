import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Cloud, SIMULATED } from '../cloud';
import { computeWeek } from './compute';
import { identityWeek } from './identity';
import { imageWeek } from './image';
import { leftOut } from './left-out';
import { networkWeek } from './network';
import { placementWeek } from './placement';
import { volumeWeek } from './volume';
import { volumeCopiesWeek } from './volume-copies';
import { Week } from './week';

const AREAS = [identityWeek, imageWeek, networkWeek, volumeWeek, volumeCopiesWeek, computeWeek, placementWeek];

/**
 * What users do in an ordinary week, with every command of a client that the cloud has an answer for, each looked at as a
 * user would.
 * @param python tells the interpreter that the client is installed for
 */
export function ordinaryWeek(label: Week['label'], python: () => Promise<string>): void {
  jest.setTimeout(300_000);
  // Each step builds on those before it, so one alone has no second try.
  jest.retryTimes(0);

  describe(`an ordinary week with the ${label} client`, () => {
    const week = new Week(label);
    let cloud: Cloud | null = null;

    beforeAll(async () => {
      // The newest client is installed at its first use.
      const interpreter = await python();
      cloud = await Cloud.up(SIMULATED);
      await week.start(cloud, interpreter);
    }, 600_000);

    afterAll(async () => {
      await week.end();
      await cloud?.reset();
    }, 120_000);

    for (const area of AREAS) area(week);

    it('has run every command but those that are left out for a reason', () => {
      expect(week.notRun().filter((command) => leftOut(command, label) === null)).toEqual([]);
    });
  });
}
