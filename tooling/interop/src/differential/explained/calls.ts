import type { Difference } from '../compare.ts';
import { asked, told } from '../expected.ts';
import type { Pair } from './pair.ts';

/** What Tulle says of a call that it ends itself. */
const OWN_MESSAGE = /^TULLE_[A-Z_]+(?:: [a-z_]+)? \(request [0-9a-f-]{36}\)$/;
const OWN_TIMEOUT = /^TULLE_[A-Z_]*TIMEOUT(?:: [a-z_]+)? \(request /;

/** Whether it is a call of gRPC, whose errors are told by its own fields (gRPC over HTTP/2, Responses). */
export function isCall({ exchange }: Pick<Pair, 'exchange'>): boolean {
  return (
    exchange?.protocol === 'http2' &&
    exchange.method === 'POST' &&
    /^application\/grpc(\+|;|$)/.test(asked(exchange, 'content-type'))
  );
}

/**
 * Of `own-replies`, a call that the proxy ends: its message is Tulle's own, its deadline is DEADLINE_EXCEEDED (gRPC, Statuscodes) where
 * Envoy says UNAVAILABLE for some of them, and within the answer that is said in its trailers, where Envoy cuts it off.
 */
export function explainsCall({ aspect, envoy, tulle }: Difference, pair: Pair): boolean {
  const { envoy: theirs, tulle: ours } = pair.observations ?? {};
  if (theirs === undefined || ours === undefined || !isCall(pair)) return false;
  const message = told(ours, 'grpc-message');
  if (message !== undefined && OWN_MESSAGE.test(message) && told(theirs, 'x-origin') === undefined)
    return (
      (aspect === 'reply.header.grpc-message' && tulle === message) ||
      (aspect === 'reply.header.grpc-status' && envoy === '14' && tulle === '4' && OWN_TIMEOUT.test(message))
    );
  const trailer = (name: string): string => ours.reply.trailers?.find(([one]) => one === name)?.[1] ?? '';
  if (trailer('grpc-status') !== '4' || !OWN_TIMEOUT.test(trailer('grpc-message'))) return false;
  if (theirs.reply.outcome !== 'cut' || ours.reply.outcome !== 'answered') return false;
  return (
    aspect === 'reply.outcome' ||
    (/^reply\.trailer\.grpc-(status|message)$/.test(aspect) && envoy === '(none)')
  );
}
