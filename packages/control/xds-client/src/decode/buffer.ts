import type { BufferFilterConfig } from '@tulle/model';
import type { Buffer, BufferPerRoute } from '@tulle/xds-proto/envoy/extensions/filters/http/buffer/v3/buffer';
import type { DecodeContext } from './context.ts';

export function decodeBuffer(
  context: DecodeContext,
  { maxRequestBytes = 0 }: Buffer,
  path: string,
): BufferFilterConfig {
  if (maxRequestBytes < 1 || maxRequestBytes > 1_073_741_824)
    context.refuse(`${path}.max_request_bytes`, `must be 1 to 1073741824, but is ${maxRequestBytes}`);
  return { maxRequestBytes };
}

/** @returns `null` where the filter is off */
export function decodeBufferRoute(
  context: DecodeContext,
  { override }: BufferPerRoute,
  path: string,
): BufferFilterConfig | null {
  if (override.case === 'buffer') return decodeBuffer(context, override.value, `${path}.buffer`);
  if (override.case !== 'disabled' || !override.value)
    context.refuse(path, 'says nothing: give disabled: true, or buffer');
  return null;
}
