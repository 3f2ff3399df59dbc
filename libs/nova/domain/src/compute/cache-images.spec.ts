import { expect, it } from '@jest/globals';
import { newContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { HypervisorDriver, ImagePort } from '../ports';
import { ComputeManager } from './compute-manager';

it('caches all images that can be, and fails for the others, first for those that may come later', async () => {
  const cached: string[] = [];
  let away = true;
  const manager = new ComputeManager({
    driver: {
      ensureImage: (_ctx: unknown, image: { id: string }) => {
        if (image.id === 'large' && away)
          throw new DomainError({ kind: 'unavailable', code: 'GlanceConnectionFailed', message: 'cut off' });
        cached.push(image.id);
        return Promise.resolve();
      },
    } as unknown as HypervisorDriver,
    images: {
      get: (_ctx: unknown, id: string) => Promise.resolve(id === 'gone' ? null : { image: { id } }),
    } as unknown as ImagePort,
    host: 'h',
    forceConfigDrive: false,
  });
  const failure = (ids: readonly string[]) =>
    manager.cacheImages(newContext(), ids).then(
      () => null,
      (error: unknown) => (error as DomainError).kind,
    );
  expect(await failure(['gone', 'large', 'small'])).toBe('unavailable');
  expect(cached).toEqual(['small']);
  away = false;
  expect(await failure(['gone', 'large', 'small'])).toBe('badRequest');
  expect(await failure(['large', 'small'])).toBeNull();
  expect(new Set(cached)).toEqual(new Set(['large', 'small']));
});
