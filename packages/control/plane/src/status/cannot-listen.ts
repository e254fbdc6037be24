import type { Gateway, GatewayListener } from '@tulle/resources';
import { boundAt, listenerNameOf } from '../compile/gateway-listeners.ts';
import type { ProxySession } from '../proxy-session.ts';

/** How the engine says that an address cannot be had. */
const CANNOT_LISTEN = ['cannot listen on', 'cannot take datagrams at'];
/** How it says that the machine has no such address, whatever the port. */
const NO_SUCH_ADDRESS = 'EADDRNOTAVAIL';

/** What the first process says that cannot listen for one of these. @param counts of its words, which are about the question */
function refusalOf(
  gateway: Gateway,
  listeners: readonly GatewayListener[],
  processes: readonly ProxySession[],
  counts: (refused: string) => boolean,
): string | undefined {
  for (const process of processes) {
    const { gateway: serving, id } = process.node;
    if (serving === undefined) continue;
    for (const { port, protocol } of listeners)
      for (const at of boundAt(gateway, serving, port)) {
        const { refused } = process.standingOf('listener', listenerNameOf(at, protocol));
        if (refused !== undefined && CANNOT_LISTEN.some((text) => refused.includes(text)) && counts(refused))
          return `${id} refuses it: ${refused}`;
      }
  }
  return undefined;
}

/** What a process says that cannot listen at an address that the Gateway asks for. */
export function addressRefusal(gateway: Gateway, processes: readonly ProxySession[]): string | undefined {
  return refusalOf(gateway, gateway.spec.listeners, processes, () => true);
}

/** What a process says that cannot have the port of a listener, at an address that it has (Gateway API `PortUnavailable`). */
export function portRefusal(
  gateway: Gateway,
  listener: GatewayListener,
  processes: readonly ProxySession[],
): string | undefined {
  return refusalOf(gateway, [listener], processes, (refused) => !refused.includes(NO_SUCH_ADDRESS));
}
