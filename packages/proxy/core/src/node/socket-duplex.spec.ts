import { systemClock } from '@tulle/time';
import { expect, it } from 'vitest';
import { InternalSocket } from '../internal/internal-socket.ts';
import { Turn } from '../turn.ts';
import { duplexOver } from './socket-duplex.ts';

it('is read to its end, and closes then, also by whoever begins when both sides have said all', async () => {
  const turn = new Turn(systemClock());
  const [near, far] = [new InternalSocket(turn, 65_536, 'near'), new InternalSocket(turn, 65_536, 'far')];
  near.joined(far);
  const [writer, reader] = [duplexOver(near), duplexOver(far)];
  writer.resume().end('x'.repeat(10_000));
  const closed = new Promise<void>((resolve) => void reader.once('close', resolve));
  reader.end();
  while (!far.closed) await new Promise((resolve) => setImmediate(resolve));
  let bytes = 0;
  reader.on('data', (chunk: Buffer) => (bytes += chunk.length));
  await closed;
  expect(bytes).toBe(10_000);
});
