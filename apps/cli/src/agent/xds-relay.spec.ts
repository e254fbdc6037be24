import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveXdsRelay, type XdsRelay } from './xds-relay.ts';

let directory: string;
let plane: Server;
let far: Socket[];
let relay: XdsRelay;
let near: Socket[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tr-'));
  [far, near] = [[], []];
  plane = createServer((socket) => {
    far.push(socket.on('error', () => undefined));
    socket.on('data', (bytes) => socket.write(`you said ${String(bytes)}`));
  }).listen(0, '127.0.0.1');
  await once(plane, 'listening');
});
afterEach(async () => {
  for (const socket of [...near, ...far]) socket.destroy();
  await relay.close();
  plane.close();
  rmSync(directory, { recursive: true });
});

const portOf = (server: Server): number => (server.address() as { port: number }).port;
async function serve(...ports: number[]): Promise<void> {
  relay = await serveXdsRelay(
    join(directory, 'xds.sock'),
    ports.map((port) => ({ host: '127.0.0.1', port })),
  );
}
async function dial(): Promise<Socket> {
  const socket = connect(relay.path).on('error', () => undefined);
  near.push(socket);
  await once(socket, 'connect');
  return socket;
}
async function answerTo(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  return String((await once(socket, 'data'))[0]);
}

describe('the way of an Envoy to its control plane', () => {
  it('carries bytes both ways, is for one user, and ends on both sides with either', async () => {
    await serve(portOf(plane));
    expect((statSync(relay.path).mode & 0o777).toString(8)).toBe('600');
    const one = await dial();
    expect(await answerTo(one, 'hello')).toBe('you said hello');
    far[0]?.destroy();
    await once(one, 'close');
    const two = await dial();
    expect(await answerTo(two, 'again')).toBe('you said again');
    two.destroy();
    await once(far[1] as Socket, 'close');
  });

  it('leads to the next control plane where one cannot be reached, and nowhere where none can', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const port = portOf(gone);
    await new Promise((resolve) => gone.close(resolve));
    await serve(port, portOf(plane));
    expect(await answerTo(await dial(), 'hello')).toBe('you said hello');
    await relay.close();
    await serve(port);
    await once(await dial(), 'close');
  });

  it('once cut, is gone for the control plane, while Envoy notices nothing', async () => {
    await serve(portOf(plane));
    const one = await dial();
    await answerTo(one, 'hello');
    relay.cut();
    await once(far[0] as Socket, 'close');
    one.write('is anybody there?');
    const late = await dial();
    late.write('or here?');
    // Whoever was told of an end would be by the time that another connection is made and closed.
    expect(far).toHaveLength(1);
    const probe = connect(relay.path);
    await once(probe, 'connect');
    probe.destroy();
    await once(probe, 'close');
    expect([one.readableEnded, one.destroyed, late.readableEnded, late.destroyed]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});
