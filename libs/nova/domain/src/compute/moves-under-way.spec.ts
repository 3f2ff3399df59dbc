import { describe, expect, it } from '@jest/globals';
import { MovesUnderWay, orAborted } from './moves-under-way';

const MOVE = '5f3c2f1e-6f5e-4a55-9a31-6f0a4f1f6a10';

describe('a move', () => {
  it('that is given up is stopped where it waits, and nothing of it is carried out any more', async () => {
    const moves = new MovesUnderWay();
    const waiting = moves.during(MOVE, (signal) => orAborted(new Promise<string>(() => undefined), signal));
    moves.giveUp(MOVE);
    await expect(waiting).rejects.toMatchObject({ code: 'MoveGivenUp', kind: 'conflict' });
    let worked = false;
    const late = moves.during(MOVE, () => {
      worked = true;
      return Promise.resolve();
    });
    await expect(late).rejects.toMatchObject({ code: 'MoveGivenUp' });
    expect(worked).toBe(false);
    expect(() => moves.assertOpen(MOVE)).toThrow(/given up/);
  });

  it('that is not is answered, also beside one that is', async () => {
    const moves = new MovesUnderWay();
    const others = moves.during('another', (signal) => orAborted(Promise.resolve('disks'), signal));
    moves.giveUp(MOVE);
    expect(await others).toBe('disks');
    expect(() => moves.assertOpen('another')).not.toThrow();
  });
});
