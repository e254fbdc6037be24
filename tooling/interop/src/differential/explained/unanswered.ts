import type { Difference } from '../compare.ts';
import type { Json, Named } from '../configuration.ts';
import type { Pair } from './pair.ts';

/** A request of a version that is not accepted. */
const REFUSED_VERSION = /^[A-Z]+ \S+ HTTP\/1\.0\r\n/;

/**
 * Explanation `strict-http1`: what is no request is refused with an answer also where a processor takes part in answers; Envoy ends the
 * connection before the processor, or its failure, has let the answer go.
 */
export function explainsUnanswered(
  { aspect, envoy, tulle }: Difference,
  { configuration, exchange, observations }: Pair,
): boolean {
  if (observations === undefined || !isAnswerProcessed(configuration)) return false;
  // What asks whether a connection stays is no HTTP itself.
  if (exchange?.protocol !== 'raw') return aspect === 'reply.fate' && envoy === 'closed' && tulle === 'open';
  const [theirs, ours] = [observations.envoy, observations.tulle];
  return (
    aspect.startsWith('reply.') &&
    REFUSED_VERSION.test(exchange.bytes ?? '') &&
    theirs.seen.length + ours.seen.length === 0 &&
    theirs.reply.outcome === 'ended' &&
    ours.reply.outcome === 'answered' &&
    /^(426|500)$/.test(ours.reply.statuses?.join(' ') ?? '')
  );
}

/** Whether a processor is shown the heads of answers, as it is where nothing else is said. */
function isAnswerProcessed({ httpFilters = [] }: Named): boolean {
  const found = httpFilters.find(({ name }) => name === 'envoy.filters.http.ext_proc');
  if (found === undefined) return false;
  const mode = ((found['typed_config'] as Json | undefined)?.['processing_mode'] ?? {}) as Json;
  return mode['response_header_mode'] !== 'SKIP';
}
