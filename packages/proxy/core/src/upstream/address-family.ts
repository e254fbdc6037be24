import type { AddressFamily } from '@tulle/model';

/** Those of a name's addresses that are used. @param family `undefined`: all */
export function ofFamily(addresses: readonly string[], family: AddressFamily | undefined): readonly string[] {
  if (family === undefined) return addresses;
  const [v4, v6] = [addresses.filter((one) => !isV6(one)), addresses.filter(isV6)];
  switch (family) {
    case 'v4':
      return v4;
    case 'v6':
      return v6;
    case 'v4-first':
      return v4.length > 0 ? v4 : v6;
    case 'v6-first':
      return v6.length > 0 ? v6 : v4;
  }
}

function isV6(address: string): boolean {
  return address.includes(':');
}
