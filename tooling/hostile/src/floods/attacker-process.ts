/** Attacks, in a process of its own, so that they take no time from those who watch. */
import type { Target } from '../client.ts';
import { CLIENT_ATTACKS } from './client-attacks.ts';
import { AttackingOrigin, ORIGIN_ATTACKS, type OriginOutcome } from './origin-attacks.ts';
import type { Outcome } from './attack.ts';

/** What the attacker is told to do. */
export type Order =
  | { readonly kind: 'client'; readonly what: string; readonly target: Target }
  | { readonly kind: 'begin'; readonly what: string }
  | { readonly kind: 'end' };

export type AttackerReply =
  | { readonly port: number }
  | { readonly outcome: Outcome | OriginOutcome | undefined };

const reply = (message: AttackerReply): void => {
  process.send?.(message);
};

const origin = new AttackingOrigin();

async function obey(order: Order): Promise<Outcome | OriginOutcome | undefined> {
  if (order.kind === 'client') {
    const attack = CLIENT_ATTACKS.find(({ what }) => what === order.what);
    return attack?.run(order.target);
  }
  if (order.kind === 'end') return origin.end();
  const attack = ORIGIN_ATTACKS.find(({ what }) => what === order.what);
  if (attack !== undefined) origin.begin(attack);
  return undefined;
}

process.on('message', (order) => void obey(order as Order).then((outcome) => reply({ outcome })));
process.on('disconnect', () => process.exit(0));
reply({ port: await origin.start() });
