import type { Duration } from '@bufbuild/protobuf/wkt';
import type { HttpLogMoments, TcpLogMoments } from '@tulle/model';
import type { HttpConnectionManager } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import type { TcpProxy } from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import type { DecodeContext } from './context.ts';
import { milliseconds, present } from './values.ts';

/** `access_log_options` of either, or the message that has them, whose own fields are the older form. */
interface Interval {
  readonly accessLogFlushInterval?: Duration | undefined;
}

/** @param path of the HttpConnectionManager */
export function decodeHttpLogMoments(
  context: DecodeContext,
  manager: HttpConnectionManager,
  path: string,
): HttpLogMoments | undefined {
  const { accessLogOptions: options, flushAccessLogOnNewRequest: older } = manager;
  const everyMs = intervalOf(context, options, manager, older && 'flush_access_log_on_new_request', path);
  return moments({
    start: (options ?? manager).flushAccessLogOnNewRequest || undefined,
    tunnel: options?.flushLogOnTunnelSuccessfullyEstablished || undefined,
    everyMs,
  });
}

/** @param path of the TcpProxy */
export function decodeTcpLogMoments(
  context: DecodeContext,
  proxy: TcpProxy,
  path: string,
): TcpLogMoments | undefined {
  const { accessLogOptions: options, flushAccessLogOnConnected: older } = proxy;
  const everyMs = intervalOf(context, options, proxy, older && 'flush_access_log_on_connected', path);
  return moments({
    start: options?.flushAccessLogOnStart || undefined,
    connected: (options ?? proxy).flushAccessLogOnConnected || undefined,
    everyMs,
  });
}

/** Envoy takes one of the two forms. @param flag of the older form that is set, `false` for none */
function intervalOf(
  context: DecodeContext,
  options: Interval | undefined,
  older: Interval,
  flag: string | false,
  path: string,
): number | undefined {
  const beside = flag === false ? older.accessLogFlushInterval && 'access_log_flush_interval' : flag;
  if (options !== undefined && beside !== undefined)
    context.refuse(`${path}.access_log_options`, `must not stand beside ${beside}`);
  const everyMs = milliseconds((options ?? older).accessLogFlushInterval);
  if (everyMs !== undefined && everyMs < 1)
    context.refuse(
      `${path}.${options === undefined ? '' : 'access_log_options.'}access_log_flush_interval`,
      'must be at least 1ms',
    );
  return everyMs;
}

/** @returns `undefined` where nothing is said */
function moments<Moments extends object>(said: { readonly [K in keyof Moments]: Moments[K] | undefined }):
  | Moments
  | undefined {
  const given = present(said) as Moments;
  return Object.keys(given).length === 0 ? undefined : given;
}
