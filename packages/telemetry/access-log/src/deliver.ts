import { callGrpc } from '@tulle/filter';
import type { GrpcAccessLogOutput, OtlpAccessLogOutput } from '@tulle/model';
import type { TelemetryHost } from '@tulle/telemetry';

const TIMEOUT_MS = 5_000;
/** The answer says nothing. */
const MAX_ANSWER_BYTES = 4_096;

/** Sends one message to a service. Rejects where it was not taken. */
export type Deliver = (message: Uint8Array) => Promise<void>;

/** @param path `/package.Service/Method` */
export function overGrpc(
  host: TelemetryHost,
  { cluster, authority, timeoutMs = TIMEOUT_MS }: GrpcAccessLogOutput | OtlpAccessLogOutput,
  path: string,
): Deliver {
  return async (message) => {
    const { status, text } = await callGrpc(host, {
      cluster,
      ...(authority === undefined ? {} : { authority }),
      path,
      message,
      timeoutMs,
      maxBytes: MAX_ANSWER_BYTES,
      mayBeEmpty: true,
    });
    if (status !== 0) throw new Error(`gRPC status ${status} ${text}`.trimEnd());
  };
}

/** OTLP over HTTP, in protobuf (OTLP 1.9, "OTLP/HTTP Request"). */
export function overHttp(
  host: TelemetryHost,
  { cluster, timeoutMs = TIMEOUT_MS }: OtlpAccessLogOutput,
  { url, headers: { set = [], add = [] } = {} }: NonNullable<OtlpAccessLogOutput['http']>,
): Deliver {
  const headers = [
    'content-type',
    'application/x-protobuf',
    ...[...set, ...add].flatMap(({ name, value }) => [name.toLowerCase(), value]),
  ];
  return async (body) => {
    const { status } = await host.fetch({
      url,
      cluster,
      method: 'POST',
      headers,
      body,
      timeoutMs,
      maxBodyBytes: MAX_ANSWER_BYTES,
    });
    if (status < 200 || status > 299) throw new Error(`answered with ${status}`);
  };
}
