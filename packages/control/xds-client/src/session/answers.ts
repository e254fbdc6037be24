import type { DiscoverySource } from '../decode/discovery-source.ts';
import { type ResourceKind, TYPE_URLS } from '../wire.ts';
import { type ClientRequest, clientRequest } from './messages.ts';
import { createRefusals, type Refusal, refusalText, type Refusals } from './refusals.ts';

/** A response without an answer yet. */
export interface Pending {
  readonly kind: ResourceKind;
  readonly source: DiscoverySource | undefined;
  readonly nonce: string;
  readonly names: readonly string[];
  /** What could not be read of it. */
  readonly unread: readonly Refusal[];
}

/** ACK, or NACK with what was refused of it. */
export function answerTo({ kind, source, nonce, names, unread }: Pending, refusals: Refusals): ClientRequest {
  const own = createRefusals(unread);
  for (const name of names) own.add(kind, name, ...(refusals.get(kind, name)?.reasons ?? []));
  const list = [...own].filter(({ reasons }) => reasons.length > 0);
  const error = list.length === 0 ? {} : { error: { message: refusalText(list), refusals: list } };
  return clientRequest(TYPE_URLS[kind], { nonce, ...error, ...(source && { source }) });
}
