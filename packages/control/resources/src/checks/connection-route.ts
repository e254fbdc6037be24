import { isIP } from 'node:net';
import { parentRefsOf, type ConnectionRoute } from '../routes.ts';
import { noRepeats, type CheckHost } from './check-host.ts';
import { checkBackend } from './backend.ts';
import { checkParents } from './route-parts.ts';

/** A TLSRoute, TCPRoute or UDPRoute. */
export function checkConnectionRoute(route: ConnectionRoute, host: CheckHost): void {
  const { spec } = route;
  checkParents(parentRefsOf(route), host);
  if (route.kind === 'TLSRoute') {
    const { hostnames } = route.spec;
    noRepeats(
      host,
      hostnames,
      (h) => h,
      (i) => `/spec/hostnames/${i}`,
      (n) => `${n} is listed twice`,
    );
    for (const [i, hostname] of hostnames.entries())
      if (isIP(hostname) !== 0)
        host.report('TULLE0205', `/spec/hostnames/${i}`, `${hostname} is an address: server names are names`);
  }
  for (const [b, backend] of (spec.rules[0]?.backendRefs ?? []).entries())
    checkBackend(backend, `/spec/rules/0/backendRefs/${b}`, host);
}
