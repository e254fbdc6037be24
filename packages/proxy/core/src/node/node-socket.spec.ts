import { once } from 'node:events';
import type { Socket as NetSocket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { WRITE_KEPT } from '../ports.ts';
import { NodeSocket } from './node-socket.ts';

/** A stream that is done with a write when the test says so, as a TLS socket is some time later. */
class SlowStream extends Duplex {
  readonly taken: string[] = [];
  #done: (() => void) | undefined;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.taken.push(chunk.toString('latin1'));
    this.#done = done;
  }

  async finishWrite(): Promise<void> {
    this.#done?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function attached(late: boolean): { raw: SlowStream; socket: NodeSocket; drains: () => number } {
  const raw = new SlowStream();
  const socket = new NodeSocket(true, late).attach(raw as unknown as NetSocket, true);
  let drains = 0;
  socket.events = {
    onOpen() {},
    onRead() {},
    onEnd() {},
    onDrain: () => void drains++,
    onClose() {},
  };
  return { raw, socket, drains: () => drains };
}

describe('a socket whose writes are done later', () => {
  it('hands over what it was given and nothing more, and tells when all of it is gone', async () => {
    const { raw, socket, drains } = attached(true);
    expect(socket.write(Buffer.from('one'))).toBe(WRITE_KEPT);
    expect(socket.write(Buffer.from('two'))).toBe(WRITE_KEPT);
    await raw.finishWrite();
    expect(drains()).toBe(0);
    expect(socket.queuedBytes).toBe(3);
    await raw.finishWrite();
    expect([drains(), socket.queuedBytes]).toEqual([1, 0]);
    expect(raw.taken).toEqual(['one', 'two']);
  });

  it('tells once for writes that were gathered', async () => {
    const { raw, socket, drains } = attached(true);
    socket.cork();
    socket.write(Buffer.from('head '));
    socket.write(Buffer.from('body'));
    socket.uncork();
    expect(drains()).toBe(0);
    await raw.finishWrite();
    await raw.finishWrite();
    expect(socket.queuedBytes).toBe(0);
    expect(drains()).toBeGreaterThan(0);
    expect(raw.taken.join('')).toBe('head body');
  });

  it('tells nothing after it was destroyed', async () => {
    const { raw, socket, drains } = attached(true);
    socket.write(Buffer.from('one'));
    socket.destroy();
    await once(raw, 'close');
    await raw.finishWrite();
    expect(drains()).toBe(0);
  });
});
