import type { EngineConnection } from '../sides.ts';

/** How records show who called: by an address, or as a connection of this process is called. */
export function remoteNameOf({ remoteAddress, internal }: EngineConnection): string {
  return remoteAddress === '' && internal !== undefined ? internal.remote : remoteAddress;
}

/** Likewise what was called. */
export function localNameOf({ localAddress, internal }: EngineConnection): string {
  return localAddress === '' && internal !== undefined ? internal.local : localAddress;
}
