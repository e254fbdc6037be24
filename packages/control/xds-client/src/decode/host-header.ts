import type { RouteConfiguration } from '@tulle/xds-proto/envoy/config/route/v3/route';
import type { DecodeContext } from './context.ts';

/**
 * The field by which virtual hosts are found; that of the host that is asked for is what they are found by anyway.
 * @param base of the paths, with its dot
 */
export function decodeHostHeader(
  context: DecodeContext,
  { vhostHeader, vhds }: RouteConfiguration,
  base: string,
): string | undefined {
  const name = vhostHeader.toLowerCase();
  if (name === '' || name === ':authority' || name === 'host') return undefined;
  if (name.startsWith(':'))
    context.refuse(`${base}vhost_header`, `must be the name of a field, but is "${vhostHeader}"`);
  if (vhds)
    context.refuse(`${base}vhost_header`, 'must not stand beside vhds, which asks for the host of a request');
  return name;
}
