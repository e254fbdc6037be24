import { describe, expect, it } from 'vitest';
import type { ConnectionHandle } from './accept-gate.ts';
import { ConnectionBalance, type Balanced } from './connection-balance.ts';

interface Process extends Balanced {
  readonly given: { readonly id: number; readonly connection: ConnectionHandle }[];
  least: number | undefined;
  reachable: boolean;
}

const makeProcess = (): Process => ({
  balances: true,
  given: [],
  least: undefined,
  reachable: true,
  give(id, _key, connection) {
    if (this.reachable) this.given.push({ id, connection });
    return this.reachable;
  },
  tellLeast(least) {
    this.least = least;
  },
});

const connection = (): ConnectionHandle & { closed: boolean } => ({
  closed: false,
  close() {
    this.closed = true;
  },
});

describe('the balance of connections', () => {
  let now = 0;
  const three = (): { balance: ConnectionBalance; a: Process; b: Process; c: Process } => {
    now = 0;
    const balance = new ConnectionBalance(() => now);
    const [a, b, c] = [makeProcess(), makeProcess(), makeProcess()];
    for (const one of [a, b, c]) balance.join(one);
    return { balance, a, b, c };
  };

  it('gives what one has too many of to the one that has least, counting what is on its way', () => {
    const { balance, a, b, c } = three();
    balance.report(b, 1);
    for (let i = 0; i < 3; i++) balance.offer(a, 'k', 4, connection());
    expect([a, b, c].map(({ given }) => given.length)).toEqual([0, 1, 2]);
    const [first] = c.given;
    balance.took(c, first?.id ?? 0, true, 1);
    expect(first?.connection).toMatchObject({ closed: true });
    expect(balance.moved).toBe(1);
  });

  it('asks the next when one does not listen there, cannot be reached, or ends before it has it', () => {
    const { balance, a, b, c } = three();
    const one = connection();
    balance.offer(a, 'k', 9, one);
    balance.took(b, b.given[0]?.id ?? 0, false, 0);
    c.reachable = false;
    expect(c.given).toHaveLength(1);
    balance.ended(c);
    expect(a.given).toHaveLength(1); // nobody else is left: back to where it came from
    expect(one.closed).toBe(false);
    balance.ended(a);
    expect(one.closed).toBe(true);
  });

  it('gives nothing more to one that does not confirm', () => {
    const { balance, a, b } = three();
    balance.offer(a, 'k', 9, connection());
    balance.report(a, 9);
    now = 19;
    balance.offer(a, 'k', 9, connection());
    balance.offer(a, 'k', 9, connection());
    expect(b.given).toHaveLength(2);
    now = 40;
    for (let i = 0; i < 3; i++) balance.offer(a, 'k', 9, connection());
    expect(b.given).toHaveLength(2);
    balance.took(b, b.given[0]?.id ?? 0, true, 1);
    balance.offer(a, 'k', 9, connection());
    expect(b.given).toHaveLength(3);
  });

  it('gives nothing to one that drains, or is of a release that cannot take it', () => {
    const { balance, a, b, c } = three();
    const old = { ...makeProcess(), balances: false };
    balance.join(old);
    balance.leave(b);
    expect(b.least).toBeUndefined();
    for (let i = 0; i < 3; i++) balance.offer(a, 'k', 9, connection());
    expect([b, c, old].map(({ given }) => given.length)).toEqual([0, 3, 0]);
  });
});
