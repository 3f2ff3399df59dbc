import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { silentLogger } from '@nestack/kernel/log';
import { POWER_STATE, type PowerState } from '@nestack/nova/contract';
import type { GuestEvent } from '@nestack/nova/domain';
import { PowerWatch } from './power-watch';

const { running, shutdown } = POWER_STATE;

describe('the watch over power states', () => {
  let now: Map<string, PowerState>;
  let look: () => Promise<ReadonlyMap<string, PowerState>>;
  let events: GuestEvent[];
  let watch: PowerWatch;
  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  beforeEach(() => {
    jest.useFakeTimers();
    now = new Map([['a', running]]);
    look = () => Promise.resolve(new Map(now));
    events = [];
    watch = new PowerWatch(() => look(), silentLogger);
    watch.onEvent((event) => events.push(event));
  });
  afterEach(() => {
    watch.close();
    jest.useRealTimers();
  });

  it('tells of a change that nobody asked for, once', async () => {
    watch.anythingChanged();
    await pass(600);
    now.set('a', shutdown);
    watch.changed('a');
    watch.changed('a');
    await pass(600);
    watch.changed('a');
    await pass(600);
    expect(events).toEqual([{ uuid: 'a', power: shutdown }]);
  });

  it('tells what a daemon kept to itself while it was starting', async () => {
    watch.anythingChanged();
    await pass(600);
    now.set('a', shutdown);
    await pass(12_000);
    expect(events).toEqual([{ uuid: 'a', power: shutdown }]);
  });

  it('says nothing of what it is asked to do', async () => {
    watch.anythingChanged();
    await pass(600);
    await watch.during('a', async () => {
      now.set('a', shutdown);
      watch.changed('a');
      await Promise.resolve();
    });
    await pass(12_000);
    expect(events).toEqual([]);
    // What comes afterwards is told.
    now.set('a', running);
    watch.changed('a');
    await pass(600);
    expect(events).toEqual([{ uuid: 'a', power: running }]);
  });

  it('does not take the middle of its work for news, however late it hears of it', async () => {
    watch.anythingChanged();
    await pass(600);
    const late = Promise.withResolvers<ReadonlyMap<string, PowerState>>();
    const end = Promise.withResolvers<undefined>();
    const work = watch.during('a', () => end.promise);
    watch.changed('a');
    const usual = look;
    look = () => late.promise;
    await pass(600);
    look = usual;
    end.resolve(undefined);
    await work;
    late.resolve(new Map([['a', shutdown]]));
    await pass(12_000);
    expect(events).toEqual([]);
  });

  it('looks again later when libvirt does not answer', async () => {
    watch.anythingChanged();
    await pass(600);
    const usual = look;
    look = () => Promise.reject(new Error('away'));
    now.set('a', shutdown);
    watch.changed('a');
    await pass(600);
    look = usual;
    watch.anythingChanged();
    await pass(600);
    expect(events).toEqual([{ uuid: 'a', power: shutdown }]);
  });
});
