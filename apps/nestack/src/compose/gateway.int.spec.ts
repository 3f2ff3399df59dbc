import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { freePort } from '@nestack/kernel/testing';
import { openGateway, openUplink } from './gateway';

describe('a gateway', () => {
  it('carries connections between loopbacks through sockets of a folder', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'nestack-gateway-'));
    const port = await freePort();
    const echo = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket));
    await new Promise<void>((resolve) => echo.listen(port, '127.0.0.1', resolve));
    const closeGateway = await openGateway({ dir, ports: [port] });
    // The uplink usually is in another network namespace, with the same port free: here only the echo can have it.
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(path.join(dir, `${port}.sock`));
      let text = '';
      socket.setEncoding('utf8');
      socket.on('data', (data: string) => (text += data));
      socket.once('end', () => resolve(text));
      socket.once('error', reject);
      socket.end('there and back');
    });
    expect(answer).toBe('there and back');
    await expect(openUplink({ dir, ports: [port] })).rejects.toThrow('EADDRINUSE');
    await closeGateway();
    await new Promise((resolve) => echo.close(resolve));
    rmSync(dir, { recursive: true, force: true });
  });
});
