import { ACCESS_LOG_KEYS } from '@tulle/model';
import type { AccessLogFormat } from './formats.ts';

/** Envoy's default text. */
export const ENVOY_FORMAT: string =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/** Istio's default text. */
export const ISTIO_FORMAT: string =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% ' +
  '%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n';

/** Istio's default JSON. */
export const ISTIO_JSON_FORMAT: Exclude<AccessLogFormat, string> = Object.freeze({
  json: ACCESS_LOG_KEYS,
});

const NAMED: Readonly<Record<string, AccessLogFormat | undefined>> = {
  tulle: undefined,
  envoy: ENVOY_FORMAT,
  istio: ISTIO_FORMAT,
  'istio-json': ISTIO_JSON_FORMAT,
};

/**
 * A format as a flag or variable gives it: `tulle` (this package's own JSON, for which `undefined` stands), `envoy`, `istio`,
 * `istio-json`, or the text of a format.
 */
export function namedFormat(text: string): AccessLogFormat | undefined {
  return Object.hasOwn(NAMED, text) ? NAMED[text] : text;
}
