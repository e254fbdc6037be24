import { create } from '@bufbuild/protobuf';
import { type InternalAddress, isInternalAddress, isUnixAddress, type ListenAddress } from '@tulle/model';
import {
  type Address,
  AddressSchema,
  type CidrRange,
  SocketAddress_Protocol as Protocol,
  CidrRangeSchema,
} from '@tulle/xds-proto/envoy/config/core/v3/address';
import { localOnly } from './local-only.ts';

/** @param protocol of a socket address */
export function encodeAddress(
  address: ListenAddress | InternalAddress,
  protocol: Protocol = Protocol.TCP,
): Address {
  if (isUnixAddress(address))
    return create(AddressSchema, { address: { case: 'pipe', value: { path: address.path } } });
  if (isInternalAddress(address)) {
    const { internal, id: endpointId = '' } = address;
    return create(AddressSchema, {
      address: {
        case: 'envoyInternalAddress',
        value: { addressNameSpecifier: { case: 'serverListenerName', value: internal }, endpointId },
      },
    });
  }
  localOnly(address.namespace, 'address.namespace');
  return create(AddressSchema, {
    address: {
      case: 'socketAddress',
      value: { protocol, address: address.host, portSpecifier: { case: 'portValue', value: address.port } },
    },
  });
}

/** @param cidr `10.0.0.0/8`; without `/` a single address */
export function encodeCidr(cidr: string): CidrRange {
  const slash = cidr.lastIndexOf('/');
  const addressPrefix = slash < 0 ? cidr : cidr.slice(0, slash);
  const prefixLen = slash < 0 ? (cidr.includes(':') ? 128 : 32) : Number(cidr.slice(slash + 1));
  return create(CidrRangeSchema, { addressPrefix, prefixLen });
}
