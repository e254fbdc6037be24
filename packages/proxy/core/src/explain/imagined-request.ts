import { findInvalidName, findInvalidValue } from '@tulle/fields';
import { isValidMethod, isValidTarget } from '@tulle/http1';

/** A request that nobody sent, to be held against the configuration in force. */
export interface ImaginedRequest {
  readonly method: string;
  readonly authority: string;
  /** With query. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Who sends it. */
  readonly source: {
    /** SPIFFE id that it would have proven; with it the connection counts as TLS. */
    readonly identity: string | undefined;
    readonly address: string;
    readonly tls: boolean;
    readonly serverName: string | undefined;
  };
  /** By name; needed where the proxy has several. */
  readonly listener: string | undefined;
  /**
   * Where the connection was going before the kernel led it here, or what the tunnel names that it came through. Default: the
   * address of the listener.
   */
  readonly destination: { readonly address: string | undefined; readonly port: number | undefined };
}

/** A field of an imagined request is not as it should be. */
export class ImaginedFault extends Error {}

const fault = (at: string, message: string): ImaginedFault => new ImaginedFault(`${at}: ${message}`);

/**
 * Reads `{ method, authority, path, headers?, source?: { identity?, address?, tls?, serverName? }, destination?: { address?, port? }, listener? }`.
 * @throws ImaginedFault naming the field
 */
export function readImagined(value: unknown): ImaginedRequest {
  const given = objectOf(value, '/', [
    'method',
    'authority',
    'path',
    'headers',
    'source',
    'destination',
    'listener',
  ]);
  const source = objectOf(given['source'] ?? {}, '/source', ['identity', 'address', 'tls', 'serverName']);
  const destination = objectOf(given['destination'] ?? {}, '/destination', ['address', 'port']);
  const method = textOf(given['method'] ?? 'GET', '/method');
  if (!isValidMethod(method))
    throw fault('/method', `${JSON.stringify(method)} is no method (RFC 9110 §9.1)`);
  const authority = textOf(given['authority'], '/authority');
  const path = textOf(given['path'] ?? '/', '/path');
  if (!path.startsWith('/') || !isValidTarget(method, path, false))
    throw fault(
      '/path',
      `${JSON.stringify(path)} is no path with query; it begins with / and is percent-encoded`,
    );
  const identity = optionalText(source['identity'], '/source/identity');
  const tls = source['tls'] ?? identity !== undefined;
  if (typeof tls !== 'boolean') throw fault('/source/tls', 'must be true or false');
  return {
    method,
    authority,
    path,
    headers: headersOf(given['headers'] ?? {}),
    source: {
      identity,
      address: optionalText(source['address'], '/source/address') ?? '127.0.0.1',
      tls,
      serverName: optionalText(source['serverName'], '/source/serverName')?.toLowerCase(),
    },
    destination: {
      address: optionalText(destination['address'], '/destination/address'),
      port: optionalPort(destination['port'], '/destination/port'),
    },
    listener: optionalText(given['listener'], '/listener'),
  };
}

function objectOf(value: unknown, at: string, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw fault(at, 'must be an object');
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw fault(at, `unknown field ${JSON.stringify(unknown)}; there is ${known.join(', ')}`);
  return value as Record<string, unknown>;
}

function textOf(value: unknown, at: string): string {
  if (typeof value !== 'string' || value === '') throw fault(at, 'must be a string that is not empty');
  return value;
}

function optionalText(value: unknown, at: string): string | undefined {
  return value === undefined ? undefined : textOf(value, at);
}

function optionalPort(value: unknown, at: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 65_535)
    throw fault(at, 'must be a port, 1 to 65535');
  return value;
}

/** `{ name: value }`, or `{ name: [value, …] }` for a field of several lines. */
function headersOf(value: unknown): (readonly [string, string])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw fault('/headers', 'must be an object of names and values');
  return Object.entries(value).flatMap(([name, given]) => {
    const at = `/headers/${name}`;
    const lower = name.toLowerCase();
    if (findInvalidName(lower) >= 0) throw fault(at, 'is no field name (RFC 9110 §5.6.2)');
    if (lower === 'host') throw fault(at, 'the host is given as authority');
    return (Array.isArray(given) ? given : [given]).map((one: unknown) => {
      if (typeof one !== 'string' || findInvalidValue(one) >= 0)
        throw fault(at, 'must be a string without control characters, or a list of such');
      return [lower, one] as const;
    });
  });
}
