import type { Exchange } from '../client.ts';
import { MARK } from '../corpus/index.ts';
import type { SeenRequest } from '../recording-origin.ts';

/** Which of the proxy's listeners a request goes to, each with a policy of its own: see `guarded-proxy.ts`. */
export type Gate =
  | 'paths'
  | 'paths-allow'
  | 'hosts'
  | 'roles'
  | 'edge'
  | 'tokens'
  | 'networks'
  | 'asked'
  | 'origins';

/** What a client sends to a gate. Text is latin1; `MARK` is replaced. */
export interface PolicyCase {
  readonly gate: Gate;
  readonly group: string;
  readonly send: string;
  /** `allowed`: it must reach the origin and be answered 200, or the gate is simply shut. */
  readonly kind: 'hostile' | 'allowed';
  /** What is wrong about a request that reached the origin, or about what came back. */
  readonly breach: (seen: readonly SeenRequest[], got: Exchange) => string | undefined;
}

/** Nothing of it may reach the origin. */
export const nothing: PolicyCase['breach'] = (seen) =>
  seen.length === 0 ? undefined : `reached the origin: ${seen.map(({ startLine }) => startLine).join(' | ')}`;

/** A request with its mark in a header of its own, so that target and host are free for what is tried. */
export const marked = (startLine: string, fields: string, after = ''): string =>
  `${startLine} HTTP/1.1\r\n${fields}X-Mark: ${MARK}\r\n\r\n${after}`;

export const HOST = 'Host: origin.test\r\n';

/** Values of all lines of the names that `is` picks, in head and trailers. */
export function valuesOf(request: SeenRequest, is: (name: string) => boolean): string[] {
  return [...request.fields, ...request.trailers]
    .filter(([name]) => is(name.toLowerCase()))
    .map(([, value]) => value);
}
