import type { Http2Options } from '@tulle/model';
import type { Http2ProtocolOptions } from '@tulle/xds-proto/envoy/config/core/v3/protocol';
import type { DecodeContext } from './context.ts';
import { milliseconds, present } from './values.ts';

/** @returns `undefined` where nothing is said */
export function decodeHttp2(
  context: DecodeContext,
  options: Http2ProtocolOptions | undefined,
  path: string,
): Http2Options | undefined {
  if (options === undefined) return undefined;
  const { connectionKeepalive: keepalive } = options;
  const intervalMs = milliseconds(keepalive?.interval);
  const idleIntervalMs = milliseconds(keepalive?.connectionIdleInterval);
  const jitterPercent = keepalive?.intervalJitter?.value;
  if (keepalive !== undefined && keepalive.timeout === undefined)
    context.refuse(`${path}.connection_keepalive.timeout`, 'is missing');
  const decoded: Http2Options = present({
    maxConcurrentStreams: options.maxConcurrentStreams,
    initialStreamWindowBytes: options.initialStreamWindowSize,
    initialConnectionWindowBytes: options.initialConnectionWindowSize,
    hpackTableBytes: options.hpackTableSize,
    keepalive:
      (intervalMs ?? idleIntervalMs) === undefined
        ? undefined
        : present({
            intervalMs,
            jitterPercent,
            idleIntervalMs,
            timeoutMs: milliseconds(keepalive?.timeout),
          }),
  });
  return Object.keys(decoded).length === 0 ? undefined : decoded;
}
