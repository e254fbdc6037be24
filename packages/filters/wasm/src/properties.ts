import type { HttpStream } from '@tulle/filter';
import { readAttribute } from '@tulle/match';
import { RequestFields, responseFields } from './field-map.ts';
import { nanosecondsOf } from './nanoseconds.ts';
import type { Vm } from './vm.ts';

type Value = string | bigint | boolean;

const REQUEST_FIELD = 'request.headers.';
const RESPONSE_FIELD = 'response.headers.';
/** Envoy `core.v3.TrafficDirection`. */
const DIRECTIONS = { unspecified: 0n, inbound: 1n, outbound: 2n } as const;

/**
 * An attribute by its path, as the field names them (Envoy "Attributes"). Text as it is, numbers and times (nanoseconds) as 64 bits,
 * little endian, yes and no as one byte.
 * @param path segments with dots between them @returns `undefined` for what is not known
 */
export function readProperty(vm: Vm, path: string): Uint8Array | undefined {
  const context = vm.current();
  const own = context?.properties?.get(path);
  if (own !== undefined) return own;
  const value = ofPlugin(vm, path) ?? (context?.stream && ofStream(context.stream, path, context.beganMs));
  // What came in messages is octets, one a character; names of the configuration are text.
  const encoding = /^re(?:quest|sponse)\./.test(path) ? 'latin1' : 'utf8';
  return value === undefined ? undefined : bytesOf(value, encoding);
}

function bytesOf(value: Value, encoding: 'latin1' | 'utf8'): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value, encoding);
  if (typeof value === 'boolean') return Uint8Array.of(value ? 1 : 0);
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt.asIntN(64, value));
  return bytes;
}

function ofPlugin({ settings }: Vm, path: string): Value | undefined {
  switch (path) {
    case 'plugin_name':
      return settings.name;
    case 'plugin_root_id':
      return settings.rootId;
    case 'plugin_vm_id':
      return settings.vmId;
    default:
      return undefined;
  }
}

function ofStream(stream: HttpStream, path: string, beganMs: number): Value | undefined {
  if (path.startsWith(REQUEST_FIELD)) return new RequestFields(stream).get(path.slice(REQUEST_FIELD.length));
  if (path.startsWith(RESPONSE_FIELD)) return responseFields(stream)?.get(path.slice(RESPONSE_FIELD.length));
  switch (path) {
    case 'request.time':
      return nanosecondsOf(beganMs);
    // As they are called without a namespace, too.
    case 'route_name':
    case 'cluster_name':
      return readAttribute(stream, `xds.${path}`) as string | undefined;
    case 'listener_direction':
    case 'xds.listener_direction':
      return DIRECTIONS[stream.connection.direction];
    default: {
      const value = readAttribute(stream, path);
      return typeof value === 'number' ? BigInt(value) : value;
    }
  }
}
