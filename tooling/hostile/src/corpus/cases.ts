/** Stands for six characters that differ from send to send, so that what the origin sees can be told apart. */
export const MARK = '@MARK@';

/** Bytes that a client sends. Text is latin1; {@link MARK} is replaced. */
export interface RequestCase {
  readonly group: string;
  readonly send: string;
  /** `hostile`: must be refused. `odd`: valid, and must pass. */
  readonly kind: 'hostile' | 'odd';
  /** Requests that may reach the origin: the whole ones before the fault. For `odd`: that must. */
  readonly allowed: number;
  /** `odd`: what the origin must see of each request, in order. */
  readonly seen?: readonly Seen[];
}

export interface Seen {
  readonly method?: string;
  readonly target?: string;
  readonly body?: string;
  readonly trailers?: readonly (readonly [string, string])[];
  /** Fields that must be there with this value. */
  readonly has?: Readonly<Record<string, string>>;
  /** Fields that must not be there. */
  readonly lacks?: readonly string[];
}

/** Bytes that an origin answers with. */
export interface ResponseCase {
  readonly group: string;
  readonly reply: string;
  /** What the client sends; default a GET. */
  readonly method?: string;
  readonly fields?: string;
  /** The origin closes after the reply. */
  readonly close?: boolean;
  /**
   * `refuse`: the client must not get a whole 2xx. `isolate`: the first response may pass, the connection must not be used
   * again. `odd`: must pass, with this status and body.
   */
  readonly kind: 'refuse' | 'isolate' | 'odd';
  readonly status?: number;
  readonly body?: string;
}

export const H: string = 'Host: origin.test\r\n';
export const PATH: string = `/t/${MARK}`;
/** A request that must never arrive. */
export const SMUGGLED: string = `GET /smuggled/${MARK} HTTP/1.1\r\n${H}\r\n`;

export const hostile = (group: string, sends: readonly string[], allowed = 0): RequestCase[] =>
  sends.map((send) => ({ group, send, kind: 'hostile', allowed }));

export const get = (fields: string, after = ''): string =>
  `GET ${PATH} HTTP/1.1\r\n${H}${fields}\r\n${after}`;
export const post = (fields: string, body = ''): string =>
  `POST ${PATH} HTTP/1.1\r\n${H}${fields}\r\n${body}`;
export const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);
