import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { freePort, freePorts } from './free-port.ts';

it('gives ports below those of connections, each once, at which one can listen', async () => {
  const ports = [...(await freePorts(50)), await freePort()];
  expect(new Set(ports).size).toBe(51);
  for (const port of ports) {
    expect(port).toBeLessThan(32_768);
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    expect((server.address() as AddressInfo).port).toBe(port);
    server.close();
    await once(server, 'close');
  }
});
