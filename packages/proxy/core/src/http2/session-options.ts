import type { Http2Options as CodecOptions } from '@tulle/http2';
import type { Http1Limits } from '@tulle/http1';
import type { Http2Options } from '@tulle/model';

/**
 * What a session is made of: the model's options and the bounds that both versions share. Made once for a chain or a
 * cluster; what neither says is the codec's default.
 */
export function sessionOptions(
  options: Http2Options = {},
  limits: Partial<Http1Limits> = {},
): Partial<CodecOptions> {
  const { maxConcurrentStreams, initialStreamWindowBytes, initialConnectionWindowBytes, hpackTableBytes } =
    options;
  return Object.freeze(
    present({
      maxConcurrentStreams,
      streamWindowBytes: initialStreamWindowBytes,
      // who says what a stream may hold has counted on it
      maxStreamWindowBytes: initialStreamWindowBytes,
      connectionWindowBytes: initialConnectionWindowBytes,
      headerTableBytes: hpackTableBytes,
      maxHeadBytes: limits.maxHeadBytes,
      maxHeaders: limits.maxHeaders,
      maxUriBytes: limits.maxUriBytes,
      maxTrailerBytes: limits.maxTrailerBytes,
      maxTrailers: limits.maxTrailers,
      maxInformational: limits.maxInformational,
      allowCustomMethods: limits.allowCustomMethods,
      targetChars: limits.targetChars,
    }),
  );
}

/**
 * Streams of a caller's connection where the listener says nothing: one caller must not fill a cluster's `maxRequests`
 * (1,024) by one connection, nor hold as many windows of body. RFC 9113 §6.5.2 recommends no fewer.
 */
const CALLER_STREAMS = 100;

/** The same for callers' connections. */
export function serverSessionOptions(
  options: Http2Options = {},
  limits: Partial<Http1Limits> = {},
): Partial<CodecOptions> {
  return sessionOptions({ maxConcurrentStreams: CALLER_STREAMS, ...options }, limits);
}

/** Without what is undefined, so that it does not hide a default. */
function present<T extends object>(options: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as Partial<T>;
}
