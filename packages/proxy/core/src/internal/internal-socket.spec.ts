import { systemClock } from '@tulle/time';
import { expect, it } from 'vitest';
import type { SocketEvents } from '../ports.ts';
import { Turn } from '../turn.ts';
import { InternalSocket } from './internal-socket.ts';

it('tells that what was kept is gone, also where something was written and taken meanwhile', () => {
  const turn = new Turn(systemClock());
  const [near, far] = [new InternalSocket(turn, 4, 'near'), new InternalSocket(turn, 4, 'far')];
  const told: string[] = [];
  const events = (more: Partial<SocketEvents>): SocketEvents => ({
    onOpen() {},
    onRead() {},
    onEnd() {},
    onDrain() {},
    onClose() {},
    ...more,
  });
  const inTurn = (run: () => void): void => {
    turn.begin();
    run();
    turn.end();
  };
  inTurn(() => {
    near.events = events({ onDrain: () => void told.push('gone') });
    far.events = events({
      onRead(chunk, start, end) {
        const text = chunk.toString('latin1', start, end);
        told.push(text);
        // By then the rest of the first write is taken too.
        if (text === 'ef') near.write(Buffer.from('g'));
      },
    });
    near.joined(far);
  });
  inTurn(() => near.write(Buffer.from('abcdef')));
  expect(told).toEqual(['abcd', 'ef', 'g', 'gone']);
});
