import type { Address as ModelAddress } from '@tulle/model';
import {
  type Address,
  type CidrRange,
  SocketAddress_Protocol as Protocol,
} from '@tulle/xds-proto/envoy/config/core/v3/address';
import type { DecodeContext } from './context.ts';

export function decodeAddress(
  context: DecodeContext,
  address: Address | undefined,
  path: string,
  wanted: 'TCP' | 'UDP' | 'either' = 'TCP',
): ModelAddress {
  const where = address?.address;
  if (where?.case === 'pipe') return { path: where.value.path };
  if (where?.case === 'socketAddress') {
    const { address: host, portSpecifier, protocol } = where.value;
    if (wanted !== 'either' && protocol !== Protocol[wanted])
      context.refuse(`${path}.socket_address.protocol`, `must be ${wanted} here`);
    if (host === '') context.refuse(`${path}.socket_address.address`, 'is missing');
    const port = portSpecifier.case === 'portValue' ? portSpecifier.value : 0;
    if (port > 65_535)
      context.refuse(`${path}.socket_address.port_value`, `must be at most 65535, but is ${port}`);
    return { host, port };
  }
  context.refuse(
    path,
    where?.case === undefined
      ? 'is missing: give a socket_address or a pipe'
      : 'must be a socket_address or a pipe',
  );
  return { path: '' };
}

/** `10.0.0.0/8` */
export function decodeCidr({
  addressPrefix,
  prefixLen,
}: Pick<CidrRange, 'addressPrefix' | 'prefixLen'>): string {
  return `${addressPrefix}/${prefixLen ?? 0}`;
}
