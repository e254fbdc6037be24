import type { Address, AddressOrder, Endpoint, InternalAddress, TcpAddress } from '@tulle/model';

/**
 * Where connections to an endpoint are tried, first to last: families take turns (RFC 8305 §4), as Envoy has it, also over the whole
 * length of the list.
 */
export function addressesInOrder(
  { address, additionalAddresses = [] }: Pick<Endpoint, 'address' | 'additionalAddresses'>,
  order: AddressOrder = {},
): readonly (Address | InternalAddress)[] {
  if (additionalAddresses.length === 0 || !('host' in address)) return [address];
  const all = [address, ...additionalAddresses];
  const firstIsV6 = order.first === undefined ? isV6(address) : order.first === 'v6';
  const first = all.filter((one) => isV6(one) === firstIsV6);
  const others = all.filter((one) => isV6(one) !== firstIsV6);
  const count = order.count ?? 1;
  const sorted: TcpAddress[] = [];
  for (let at = 0; sorted.length < all.length; at++)
    sorted.push(...first.slice(at * count, (at + 1) * count), ...others.slice(at, at + 1));
  return sorted;
}

/** The endpoint at all addresses of its name. @param hosts IP addresses; none: it stays as it is */
export function atAll<At extends Pick<Endpoint, 'address' | 'additionalAddresses'>>(
  endpoint: At,
  [first, ...others]: readonly string[],
  port: number,
): At {
  if (first === undefined) return endpoint;
  return {
    ...endpoint,
    address: { host: first, port },
    ...(others.length > 0 && { additionalAddresses: others.map((host) => ({ host, port })) }),
  };
}

function isV6({ host }: TcpAddress): boolean {
  return host.includes(':');
}
