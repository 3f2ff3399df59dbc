import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { alive, waitFor } from '@nestack/kernel/process';
import { runGroupOf } from './child-group';

describe('a program with workers', () => {
  const options = { cwd: '/', env: { PATH: process.env['PATH'] } };

  it('tells its lines and its code', async () => {
    const lines: string[] = [];
    const ended = runGroupOf('sh', ['-c', 'echo one; echo two; exit 3'], {
      ...options,
      onLine: (one) => lines.push(one),
    });
    expect(await ended).toBe(3);
    expect(lines).toEqual(['one', 'two']);
  });

  it.each(['SIGINT', 'SIGTERM'])('ends with them at %s, however often it comes', async (signal) => {
    const signals = new EventEmitter();
    const workers: number[] = [];
    const onLine = (line: string): void => {
      workers.push(Number(line));
      for (let times = 0; times < 3; times += 1) signals.emit(signal, signal);
    };
    const ended = runGroupOf('sh', ['-c', 'sleep 600 & echo $!; wait'], { ...options, onLine, signals });
    await expect(ended).rejects.toThrow(`sh was ended by ${signal}.`);
    await waitFor('the worker to end', () => workers.length === 1 && !workers.some(alive), 5000, 20);
    expect(signals.eventNames()).toEqual([]);
  });
});
