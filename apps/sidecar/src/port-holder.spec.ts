import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { describeHolder, portHolder } from './port-holder.ts';

describe.runIf(process.platform === 'linux')('who listens on a port', () => {
  it.each(['127.0.0.1', '0.0.0.0', '::', '::ffff:127.0.0.1'])('is told for one at %s', async (host) => {
    const server = createServer().listen(0, host);
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      expect(await portHolder(port)).toMatchObject({ pid: process.pid });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    expect(await portHolder(port)).toBeUndefined();
  });

  it('is not one who listens at another address of the machine', async () => {
    const server = createServer().listen(0, '127.0.0.2');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await portHolder(port)).toBeUndefined();
    await new Promise((resolve) => server.close(resolve));
  });

  it('reads as a person would say it', () => {
    expect(describeHolder({ pid: 7, command: 'node' })).toBe('process 7 (node)');
    expect(describeHolder(undefined)).toBe('another process');
  });
});
