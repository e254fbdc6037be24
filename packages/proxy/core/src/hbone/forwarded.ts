import type { FieldTable } from '@tulle/fields';
import { isAddress } from '../upstream/host-port.ts';

/** Where a connection came from, as whoever tunnels it says (RFC 7239 §5.2). */
export interface ForwardedFor {
  readonly address: string;
  /** 0 where it is not said. */
  readonly port: number;
}

/** `for="[2001:db8::1]:4711"`, the form that every address may take (RFC 7239 §6). */
export function forwardedFor(address: string, port: number): string {
  return `for="${address.includes(':') ? `[${address}]` : address}:${port}"`;
}

/**
 * The first `for` of `forwarded`, which is of who called first. @returns `undefined` where there is none, or one that is no
 * address (`unknown`, an obfuscated name)
 */
export function readForwardedFor(fields: FieldTable): ForwardedFor | undefined {
  const value = fields.get('forwarded');
  if (value === undefined) return undefined;
  const match = /(?:^|[;,\s])for=("?)(?:\[([0-9a-f:.]+)\]|([0-9a-f.]+))(?::(\d{1,5}))?\1(?:$|[;,\s])/i.exec(
    value,
  );
  const address = (match?.[2] ?? match?.[3] ?? '').toLowerCase();
  if (!isAddress(address)) return undefined;
  const port = Number(match?.[4] ?? 0);
  return { address, port: port > 65_535 ? 0 : port };
}
