import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket as NetSocket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WRITE_KEPT, WRITE_TAKEN, type SocketFault } from '../ports.ts';
import { directWriter } from './direct-write.ts';
import { NodeSocket } from './node-socket.ts';

/** More than a loopback connection holds while nobody reads. */
const MUCH = 32 * 1024 * 1024;

describe('writing into the handle', () => {
  let server: Server;
  let peer: NetSocket;
  let raw: NetSocket;
  let socket: NodeSocket;
  let drains: PromiseWithResolvers<void>;
  let drainCount: number;
  let closed: PromiseWithResolvers<SocketFault | undefined>;

  beforeEach(async () => {
    server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    raw = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
    [[peer]] = (await Promise.all([once(server, 'connection'), once(raw, 'connect')])) as [
      [NetSocket],
      unknown,
    ];
    socket = new NodeSocket(false).attach(raw, true);
    drains = Promise.withResolvers<void>();
    drainCount = 0;
    closed = Promise.withResolvers<SocketFault | undefined>();
    socket.events = {
      onOpen() {},
      onRead() {},
      onEnd() {},
      onDrain() {
        drainCount += 1;
        drains.resolve();
      },
      onClose: (fault) => closed.resolve(fault),
    };
  });

  afterEach(async () => {
    raw.destroy();
    peer.destroy();
    server.close();
    await once(server, 'close');
  });

  async function received(bytes: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    peer.resume();
    while (size < bytes) {
      const [chunk] = (await once(peer, 'data')) as [Buffer];
      chunks.push(chunk);
      size += chunk.length;
    }
    return Buffer.concat(chunks);
  }

  it('is what Node offers here', () => {
    expect(directWriter(raw, () => {})).toBeDefined();
  });

  it('takes what the kernel takes at once, and the buffer is free again', async () => {
    const bytes = Buffer.from('one');
    expect(socket.write(bytes)).toBe(WRITE_TAKEN);
    bytes.write('XXX');
    expect(socket.write(Buffer.from(' two'))).toBe(WRITE_TAKEN);
    expect(socket.queuedBytes).toBe(0);
    expect((await received(7)).toString()).toBe('one two');
    expect(raw.writableLength).toBe(0);
    expect(drainCount).toBe(0);
  });

  it('keeps what the kernel does not take, in order with what comes behind, and tells once when it is gone', async () => {
    const first = Buffer.alloc(MUCH, 'a');
    expect(socket.write(first)).toBe(WRITE_KEPT);
    const waiting = socket.queuedBytes;
    expect(waiting).toBeGreaterThan(0);
    expect(socket.unsentBytes).toBeGreaterThanOrEqual(waiting);
    expect(socket.write(Buffer.from('b'.repeat(1000)))).toBe(WRITE_KEPT);
    expect(socket.queuedBytes).toBe(waiting + 1000);
    const all = await received(MUCH + 1000);
    await drains.promise;
    expect(all.subarray(0, MUCH).equals(first)).toBe(true);
    expect(all.subarray(MUCH).toString()).toBe('b'.repeat(1000));
    expect([socket.queuedBytes, drainCount]).toEqual([0, 1]);
    expect(socket.write(Buffer.from('c'))).toBe(WRITE_TAKEN);
  });

  it('half-closes behind what waits', async () => {
    socket.write(Buffer.alloc(MUCH, 'a'));
    socket.end();
    const ended = once(peer, 'end');
    expect((await received(MUCH)).length).toBe(MUCH);
    await ended;
    await drains.promise;
    expect(socket.queuedBytes).toBe(0);
  });

  it('gathers what is corked, behind what waits', async () => {
    socket.write(Buffer.alloc(MUCH, 'a'));
    socket.cork();
    expect(socket.write(Buffer.from('head '))).toBe(WRITE_KEPT);
    socket.write(Buffer.from('body'));
    socket.uncork();
    expect((await received(MUCH + 9)).subarray(MUCH).toString()).toBe('head body');
    await drains.promise;
    expect(socket.queuedBytes).toBe(0);
  });

  it('closes with the reason when the peer has gone', async () => {
    socket.write(Buffer.alloc(MUCH, 'a'));
    peer.resetAndDestroy();
    const fault = await closed.promise;
    expect(fault?.kind).toBe('reset');
    expect(drainCount).toBe(0);
    expect(socket.write(Buffer.from('late'))).toBe(WRITE_TAKEN);
  });

  it('tells nothing when it is destroyed while bytes wait', async () => {
    socket.write(Buffer.alloc(MUCH, 'a'));
    socket.destroy();
    expect(await closed.promise).toBe(undefined);
    expect(drainCount).toBe(0);
  });
});

it('a write that is told of later, though the kernel has it already, ends no other one', () => {
  // What libuv does when the kernel takes the rest of a write between two looks: all is gone, and its request still comes back.
  const { streamBaseState, kLastWriteWasAsync } = (
    process as unknown as {
      binding(name: string): { streamBaseState: Int32Array; kLastWriteWasAsync: number };
    }
  ).binding('stream_wrap');
  const requests: { oncomplete(status: number): void }[] = [];
  const handle = {
    writeQueueSize: 0,
    writeBuffer(request: { oncomplete(status: number): void }, bytes: Buffer): number {
      requests.push(request);
      handle.writeQueueSize = requests.length === 1 ? 0 : bytes.length;
      streamBaseState[kLastWriteWasAsync] = 1;
      return 0;
    },
  };
  let doneCount = 0;
  const writer = directWriter(
    { _handle: handle, destroyed: false } as unknown as NetSocket,
    () => doneCount++,
  );
  expect(writer?.write(Buffer.from('first'))).toBe(true);
  expect(writer?.write(Buffer.from('second'))).toBe(false);
  expect(requests[0]).not.toBe(requests[1]);
  requests[0]?.oncomplete(0);
  expect([writer?.waitingBytes, doneCount]).toEqual([6, 0]);
  requests[1]?.oncomplete(0);
  expect([writer?.waitingBytes, doneCount]).toEqual([0, 1]);
});
