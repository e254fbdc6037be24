import { create } from '@bufbuild/protobuf';
import type { Http2Options } from '@tulle/model';
import {
  type Http2ProtocolOptions,
  Http2ProtocolOptionsSchema,
} from '@tulle/xds-proto/envoy/config/core/v3/protocol';
import { duration } from './values.ts';

/** Envoy asks for a timeout beside an interval; the model's default. */
const KEEPALIVE_TIMEOUT_MS = 5_000;

export function encodeHttp2(options: Http2Options): Http2ProtocolOptions {
  const { maxConcurrentStreams, initialStreamWindowBytes, initialConnectionWindowBytes, keepalive } = options;
  return create(Http2ProtocolOptionsSchema, {
    ...(options.hpackTableBytes !== undefined && { hpackTableSize: options.hpackTableBytes }),
    ...(maxConcurrentStreams !== undefined && { maxConcurrentStreams }),
    ...(initialStreamWindowBytes !== undefined && { initialStreamWindowSize: initialStreamWindowBytes }),
    ...(initialConnectionWindowBytes !== undefined && {
      initialConnectionWindowSize: initialConnectionWindowBytes,
    }),
    ...(keepalive && {
      connectionKeepalive: {
        ...(keepalive.intervalMs !== undefined && { interval: duration(keepalive.intervalMs) }),
        ...(keepalive.jitterPercent !== undefined && { intervalJitter: { value: keepalive.jitterPercent } }),
        ...(keepalive.idleIntervalMs !== undefined && {
          connectionIdleInterval: duration(keepalive.idleIntervalMs),
        }),
        timeout: duration(keepalive.timeoutMs ?? KEEPALIVE_TIMEOUT_MS),
      },
    }),
  });
}
