import { create } from '@bufbuild/protobuf';
import {
  type Buffer,
  type BufferPerRoute,
  BufferPerRouteSchema,
  BufferSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/buffer/v3/buffer';
import { hasOnly, isInteger, isObject } from './shape.ts';

/** @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeBuffer(config: unknown): Buffer | undefined {
  if (!isObject(config) || !hasOnly(config, ['maxRequestBytes'])) return undefined;
  const { maxRequestBytes } = config;
  return isInteger(maxRequestBytes, 1, 1_073_741_824) ? create(BufferSchema, { maxRequestBytes }) : undefined;
}

/** @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeBufferRoute(config: unknown): BufferPerRoute | undefined {
  const buffer = encodeBuffer(config);
  return buffer && create(BufferPerRouteSchema, { override: { case: 'buffer', value: buffer } });
}
