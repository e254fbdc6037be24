import type { TulleError } from './error.ts';
import type { Headers } from './headers.ts';

/**
 * A call whose request and reply are both written piece by piece, for services that are talked to while a stream lasts
 * (external processing). It goes the way of the engine's requests, to a cluster of the configuration.
 */
export interface ExchangeRequest {
  readonly cluster: string;
  /** Path and query to ask for; begins with `/`. */
  readonly target: string;
  /** Host to ask for. Default the cluster's name where that is a host, else `localhost`. */
  readonly authority?: string;
  /** Default `POST`. */
  readonly method?: string;
  /** Flat `[name, value, …]`, names lower case. Framing fields belong to the engine. */
  readonly headers?: readonly string[];
}

/**
 * What comes of it, in order: `head` once, `data` as often as bytes come, then `end`. Or, at any time before `end`, `failed`. After
 * `end` or `failed` nothing comes; after {@link Exchange.cancel} neither. Called from within the engine's turn, so they must
 * not throw; the first may be called before {@link Exchange.send} returns, none before `exchange` does.
 */
export interface ExchangeEvents {
  /** @param status 200–599 */
  head(status: number, headers: Headers): void;
  /** @param bytes borrowed until it returns */
  data(bytes: Uint8Array): void;
  /** @param trailers an empty table where there are none */
  end(trailers: Headers): void;
  /** There will be no whole reply: codes as of {@link FilterHost.fetch}. */
  failed(error: TulleError): void;
}

/** A call under way. It is made with the first `send` or `end`. */
export interface Exchange {
  /** Sends a piece of the request's body; copied before it returns. Harmless once the call is over. */
  send(bytes: Uint8Array): void;
  /** What was sent waits, since the service takes no more at the moment: who goes on sending fills memory. */
  readonly full: boolean;
  /** The request is whole. */
  end(): void;
  /** Nobody listens any more. */
  cancel(): void;
}
