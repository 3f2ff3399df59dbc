import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@nestack/kernel/log';
import { waitFor } from '@nestack/kernel/process';
import { ConsoleKeeper, consoleTail, lastLines, MAX_CONSOLE_BYTES, MAX_LOG_BYTES, trimLog } from './console-log';

describe('a console log', () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'console-'));
    file = path.join(dir, 'console.log');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('counts lines as upstream does: the empty one after the last line break, too', () => {
    expect(lastLines('a\nb\nc\n', 2)).toBe('c\n');
    expect(lastLines('a\nb\nc', 2)).toBe('b\nc');
    expect(lastLines('a\nb', 10)).toBe('a\nb');
    expect(lastLines('a\n', 0)).toBe('');
  });

  it('is empty where there is none', async () => {
    expect(await consoleTail(file, null)).toBe('');
  });

  it('is bytes, whatever the guest writes', async () => {
    writeFileSync(file, Buffer.from([0x41, 0xff, 0x00, 0xc3, 0xa9, 0x1b, 0x5b, 0x0a]));
    expect(await consoleTail(file, null)).toBe('A\ufffd\u0000\ufffd\ufffd\u001b[\n');
  });

  it('shows the last 100 KiB, over a shortening, too', async () => {
    writeFileSync(file, Buffer.alloc(MAX_LOG_BYTES, 'x'));
    expect(await trimLog(file)).toBe(false);
    appendFileSync(file, 'y');
    expect(await consoleTail(file, null)).toHaveLength(MAX_CONSOLE_BYTES);
    expect(await trimLog(file)).toBe(true);
    expect(statSync(file).size).toBe(0);
    appendFileSync(file, 'z');
    const text = await consoleTail(file, null);
    expect(text).toHaveLength(MAX_CONSOLE_BYTES);
    expect(text.slice(-3)).toBe('xyz');
  });

  it('is kept small while the guest writes', async () => {
    writeFileSync(file, '');
    const keeper = new ConsoleKeeper(silentLogger);
    keeper.keep(file);
    keeper.keep(file);
    for (let round = 0; round < 2; round += 1) {
      appendFileSync(file, Buffer.alloc(MAX_LOG_BYTES + 1, 'x'));
      await waitFor('the shortening', () => statSync(file).size === 0, 10_000);
    }
    keeper.close();
  }, 30_000);
});
