import { expect, it } from 'vitest';
import { TokenBank, type SharedLimit } from './token-bank.ts';

const limit: SharedLimit = { id: 'a', capacity: 10, refillPerSecond: 10, maxKeys: 2 };

it('lends what is there, whole, and says when there is more', () => {
  const bank = new TokenBank();
  expect(bank.lend(limit, 'k', 7, 0)).toEqual({ granted: 7, retryInMs: 0 });
  expect(bank.lend(limit, 'k', 7, 50)).toEqual({ granted: 3, retryInMs: 0 });
  expect(bank.lend(limit, 'k', 1, 50)).toEqual({ granted: 0, retryInMs: 50 });
  expect(bank.lend(limit, 'k', 1, 100)).toEqual({ granted: 1, retryInMs: 0 });
  expect(bank.lend(limit, 'other', 99, 100)).toEqual({ granted: 10, retryInMs: 0 });
});

it('never has more than fits, whatever comes back', () => {
  const bank = new TokenBank();
  bank.lend(limit, 'k', 10, 0);
  bank.giveBack(limit, 'k', 8, 900);
  expect(bank.lend(limit, 'k', 99, 900).granted).toBe(10);
});

it('keeps limits with the same id together, forgets the key unused longest, and limits whose buckets are full again', () => {
  const bank = new TokenBank();
  for (const key of ['a', 'b', 'c']) bank.lend({ ...limit }, key, 10, 0);
  expect([bank.size, bank.lend(limit, 'c', 1, 0).granted, bank.lend(limit, 'a', 1, 0).granted]).toEqual([
    1, 0, 1,
  ]);
  bank.lend({ ...limit, id: 'slow', refillPerSecond: 0.1 }, 'k', 1, 1);
  bank.lend({ ...limit, id: 'b' }, 'k', 1, 60_002);
  expect(bank.size).toBe(2);
  bank.lend({ ...limit, id: 'b' }, 'k', 1, 120_003);
  expect(bank.size).toBe(1);
});
