import { compileCidrs } from './cidr.ts';
import { CompileContext } from './compile-context.ts';

/** RFC 1918, loopback and link-local networks, and their counterparts of IPv6 (RFC 4193, RFC 4291). */
const PRIVATE = compileCidrs(
  [
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '::1/128',
    'fc00::/7',
    'fe80::/10',
  ],
  new CompileContext(),
  '',
);

/** Whether an address belongs to a private network; of a Unix socket (`''`) it does. */
export function isPrivateAddress(address: string): boolean {
  return address === '' || PRIVATE.has(address);
}

const LOOPBACK = compileCidrs(['127.0.0.0/8', '::1/128'], new CompileContext(), '');

/** Whether an address is of this machine alone; of a Unix socket (`''`) it is not asked here. */
export function isLoopback(address: string): boolean {
  return LOOPBACK.has(address);
}
