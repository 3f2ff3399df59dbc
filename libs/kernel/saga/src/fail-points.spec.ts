import { describe, expect, it } from '@jest/globals';
import { telling } from './fail-points';

const places = (text: string): string[] =>
  text
    .trim()
    .split(/\s+/)
    .map((place) => `boot/${place}`);

describe('the places at which a cut tells something', () => {
  it('are two for an effect with what is journaled beside it: before it, and done but not journaled', () => {
    const passed = places(`
      place:before-do place:after-do place:before-journal placed:before-do placed:before-journal place:after-journal placed:after-journal
      build:before-do build:after-do build:before-journal done:before-end build:after-journal`);
    expect(telling(passed)).toEqual(
      places('place:before-do placed:before-journal build:before-do done:before-end build:after-journal'),
    );
  });

  it('are each undo, done and not journaled, and not begun', () => {
    const passed = places(`
      place:before-do place:after-do place:before-journal place:after-journal build:before-do build:before-failed build:after-failed
      build:before-undo build:after-undo place:before-undo place:after-undo undone:before-end undone:after-end`);
    expect(telling(passed)).toEqual(
      places(`
        place:before-do place:before-journal build:before-do build:before-failed build:before-undo build:after-undo
        place:before-undo place:after-undo undone:before-end undone:after-end`),
    );
  });

  it('are both sides of a pause, and each once', () => {
    const passed = places(
      'call:before-do call:before-do call:after-do call:before-journal call:after-journal up:before-journal',
    );
    expect(telling(passed)).toEqual(places('call:before-do call:before-journal call:after-journal up:before-journal'));
  });
});
