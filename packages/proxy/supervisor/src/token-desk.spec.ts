import { describe, expect, it } from 'vitest';
import type { ToSupervisor } from './protocol.ts';
import { createTokenDesk } from './token-desk.ts';

const limit = { id: 'a', capacity: 10, refillPerSecond: 1, maxKeys: 1 };

describe('the desk at which tokens are borrowed', () => {
  it('hands the answer to whoever asked', async () => {
    const sent: ToSupervisor[] = [];
    const desk = createTokenDesk(2, (message) => sent.push(message) > 0);
    const [one, two] = [desk.borrow(limit, 'x', 1), desk.borrow(limit, 'y', 5)];
    desk.lent(2, 5, 0);
    desk.lent(1, 0, 900);
    expect(await Promise.all([one, two])).toEqual([
      { granted: 0, retryInMs: 900 },
      { granted: 5, retryInMs: 0 },
    ]);
    expect(sent).toMatchObject([
      { kind: 'borrow', id: 1, key: 'x', want: 1 },
      { kind: 'borrow', id: 2, key: 'y', want: 5 },
    ]);
  });

  it('gives up in time, and gives back what comes too late', async () => {
    const sent: ToSupervisor[] = [];
    const desk = createTokenDesk(2, (message) => sent.push(message) > 0, 5);
    await expect(desk.borrow(limit, 'x', 3)).rejects.toThrow('did not answer within 5 ms');
    desk.lent(1, 3, 0);
    desk.lent(1, 3, 0); // nobody knows it any more
    expect(sent.slice(1)).toEqual([{ kind: 'give-back', limit, key: 'x', tokens: 3 }]);
  });

  it('says at once that nobody is there', async () => {
    await expect(createTokenDesk(2, () => false).borrow(limit, 'x', 1)).rejects.toThrow('is gone');
  });
});
