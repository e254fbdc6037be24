/** Origins of each side, which clusters of the same names lead to. */
export const PLAIN_ORIGINS = ['a', 'b', 'c', 'd'] as const;

/** One field of a message, as it is written. */
export type Field = readonly [name: string, value: string];

/** How an origin answers one request. */
export interface Answer {
  /** Default 200. */
  readonly status?: number;
  /** Before the answer. */
  readonly interim?: readonly number[];
  /** Beside `x-origin`, its own name. */
  readonly headers?: readonly Field[];
  /** latin1. Default the origin's name. */
  readonly body?: string;
  /** Sent in chunks, with these after the body. */
  readonly trailers?: readonly Field[];
  readonly delayMs?: number;
  /** After the head and the first octet of the body, before the rest. */
  readonly stallMs?: number;
  /** Instead of an answer: the connection is reset, ended without one, or nothing ever comes; `cut` ends it within the body. */
  readonly fault?: 'reset' | 'end' | 'silence' | 'cut';
  /** Bytes that are written as they stand instead of an answer (HTTP/1 origins). */
  readonly raw?: string;
}

/** One request, and what is compared of it. */
export interface Exchange {
  /** Default `http1`. `raw` is text for an HTTP/1 connection, `frames` for one of HTTP/2, `tcp` for any. */
  readonly protocol?: 'http1' | 'http2' | 'raw' | 'frames' | 'tcp';
  /** Default GET. */
  readonly method?: string;
  /** Default `/`. */
  readonly path?: string;
  /** Default `one.test`. */
  readonly host?: string;
  readonly headers?: readonly Field[];
  /** latin1; with a length, or in chunks where {@link chunked} says so. */
  readonly body?: string;
  readonly chunked?: boolean;
  readonly trailers?: readonly Field[];
  /** Between the first half of the body and the second. */
  readonly pauseMs?: number;
  /** What is sent (latin1), of `raw`, `frames` and `tcp`; nothing else is written. */
  readonly bytes?: string;
  /** Of `raw` and `tcp`: the client ends its direction after the bytes. */
  readonly half?: boolean;
  /** Of `tcp`: what the client does once it has heard enough. Default: it ends the connection. */
  readonly after?: 'wait' | 'reset';
  readonly tls?: ClientTls;
  /** Answers by origin, in the order of requests that it gets; the last one stays. */
  readonly answers?: Readonly<Record<string, readonly Answer[]>>;
  /** How long the answer may and must take, in milliseconds. */
  readonly took?: { readonly from: number; readonly to: number };
  /** Requests that are sent at the same time, of which the numbers of each answer are compared. Default 1. */
  readonly tally?: number;
  /** Of a {@link tally}: some requests are seen more than once, by chance. */
  readonly copied?: boolean;
  /** Of a {@link tally}: over how many origins they are spread is compared, not over which. */
  readonly gathered?: boolean;
  /** Paths of requests that the client gives up: what origins see of those, whole or cut off, is a matter of luck. */
  readonly givenUp?: readonly string[];
  /** Of `frames`: how much content each stream's answer has is compared too. */
  readonly counted?: boolean;
}

/** A client's side of TLS. */
export interface ClientTls {
  readonly serverName?: string;
  /** Name of a certificate of {@link import('./certificates.ts').Certificates} that it shows. */
  readonly certificate?: string;
  readonly alpn?: readonly string[];
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
}

/** JSON of a message. */
export type Json = Readonly<Record<string, unknown>>;

/** What both proxies get, and are asked. */
export interface Configuration {
  /** Fields of the HttpConnectionManager beside those of `resources.ts`. */
  readonly manager?: Json;
  /** Before the router. */
  readonly httpFilters?: readonly Json[];
  /** A RouteConfiguration without its name. */
  readonly routes?: Json;
  /** Filter chains in place of the one with the manager. */
  readonly filterChains?: readonly Json[];
  /** Of the one chain with the manager. */
  readonly transportSocket?: Json;
  /** Fields of the Listener. */
  readonly listener?: Json;
  /** Beside those of the origins. */
  readonly clusters?: readonly Json[];
  readonly exchanges: readonly Exchange[];
}

/** An area: what it makes for a number. */
export interface Area {
  readonly name: string;
  /** Configurations of the short form. */
  readonly short: number;
  /** The configuration of a number, with its exchanges; the same for the same chance. */
  make(chance: import('./chance.ts').Chance, index: number): Configuration;
}

/** Which one it is: `area/seed/index`. */
export interface Named extends Configuration {
  readonly id: string;
}
