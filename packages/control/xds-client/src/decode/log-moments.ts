import type { HttpLogMoments } from '@tulle/model';
import type { HttpConnectionManager } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import type { DecodeContext } from './context.ts';
import { milliseconds, present } from './values.ts';

/** The fields beside `access_log_options` are the older form; Envoy takes one of the two. @param path of the HttpConnectionManager */
export function decodeLogMoments(
  context: DecodeContext,
  manager: HttpConnectionManager,
  path: string,
): HttpLogMoments | undefined {
  const { accessLogOptions: options } = manager;
  if (
    options !== undefined &&
    (manager.flushAccessLogOnNewRequest || manager.accessLogFlushInterval !== undefined)
  )
    context.refuse(
      `${path}.access_log_options`,
      'must not stand beside access_log_flush_interval and flush_access_log_on_new_request',
    );
  const { accessLogFlushInterval: interval, flushAccessLogOnNewRequest: start } = options ?? manager;
  const tunnel = options?.flushLogOnTunnelSuccessfullyEstablished ?? false;
  const everyMs = milliseconds(interval);
  if (everyMs !== undefined && everyMs < 1)
    context.refuse(
      `${path}.${options === undefined ? '' : 'access_log_options.'}access_log_flush_interval`,
      'must be at least 1ms',
    );
  if (!start && !tunnel && everyMs === undefined) return undefined;
  return present({ start: start ? true : undefined, tunnel: tunnel ? true : undefined, everyMs });
}
