import type { TcpAddress } from '@tulle/model';

/**
 * What makes a proxy process something else than a sidecar beside a program: what it binds before it joins, and what it
 * says of itself. `@tulle/gateway` is one.
 */
export interface ProxyRole {
  /** Sockets that must be there before it joins, by a key that stays the same. A port of 0: the system's choice, kept for the next start. */
  readonly binds: Readonly<Record<string, TcpAddress>>;
  /** Added to the metadata of its node. Asked again after each change. */
  metadata(bound: Readonly<Record<string, TcpAddress>>): Readonly<Record<string, unknown>>;
  /** Calls `changed` when the metadata are others. @returns a function that ends it */
  follow(changed: () => void): () => void;
}
