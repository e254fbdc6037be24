import { parseWireName, type ProxyConfig } from '@tulle/model';

/**
 * Names by which a captured program finds what it calls: of each Service that has a chain at a virtual address, as
 * Kubernetes names it (`orders` in one's own namespace, `orders.shop`, `orders.shop.svc` and whole), and the host that an
 * external one stands for.
 * @param namespace of the program
 */
export function meshNames(config: ProxyConfig, namespace: string): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  const hosts = new Map<string, string>();
  for (const { name, discovery } of config.clusters)
    for (const { address } of discovery.kind === 'dns' ? discovery.endpoints : [])
      if ('host' in address) hosts.set(name, address.host);
  for (const listener of config.listeners) {
    if (listener.originalDestination !== true) continue;
    for (const { name, match } of listener.filterChains) {
      const host = parseWireName(name)?.host;
      // The virtual address comes first. A `clusterIP` beside it need not be routed where the program runs.
      const addresses = (match?.destinationCidrs ?? [])
        .slice(0, 1)
        .filter((cidr) => cidr.endsWith('/32'))
        .map((cidr) => cidr.slice(0, -3));
      if (host === undefined || addresses.length === 0) continue;
      const external = hosts.get(name)?.toLowerCase();
      for (const alias of external === undefined
        ? aliases(host, namespace)
        : [...aliases(host, namespace), external])
        names.set(alias, addresses);
    }
  }
  return names;
}

function aliases(host: string, namespace: string): string[] {
  const [service = '', own = '', ...suffix] = host.split('.');
  const long = [
    `${service}.${own}`,
    ...suffix.map((_, i) => [service, own, ...suffix.slice(0, i + 1)].join('.')),
  ];
  return own === namespace ? [service, ...long] : long;
}
