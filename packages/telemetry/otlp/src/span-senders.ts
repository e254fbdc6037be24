import { callGrpc } from '@tulle/filter';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { OtlpTraceProvider, ZipkinTraceProvider } from '@tulle/model';
import type { TelemetryHost } from '@tulle/telemetry';
import type { RecordSpan } from './span.ts';
import { zipkinJson } from './zipkin.ts';

/** Sends one batch. Rejects where it was not taken. */
export type SendSpans = (spans: readonly RecordSpan[]) => Promise<void>;

const TIMEOUT_MS = 5_000;
/** What a collector says is not read. */
const MAX_ANSWER_BYTES = 65_536;
const GRPC_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** Sends OTLP in protobuf, over HTTP or gRPC, to a cluster of the proxy. */
export function otlpSender(
  host: TelemetryHost,
  { service, timeoutMs = TIMEOUT_MS }: OtlpTraceProvider,
): SendSpans {
  const send = 'grpc' in service ? overGrpc(host, service, timeoutMs) : overHttp(host, service, timeoutMs);
  return async (spans) => {
    const message = ProtobufTraceSerializer.serializeRequest([...spans]);
    if (message === undefined) throw new Error('the spans cannot be encoded');
    await send(message);
  };
}

type Send = (message: Uint8Array) => Promise<void>;
type Service<Way extends 'http' | 'grpc'> = Extract<
  OtlpTraceProvider['service'],
  { readonly [K in Way]: unknown }
>;

function overGrpc(host: TelemetryHost, { grpc }: Service<'grpc'>, timeoutMs: number): Send {
  return async (message) => {
    const { status, text } = await callGrpc(host, {
      ...grpc,
      path: GRPC_PATH,
      message,
      timeoutMs,
      maxBytes: MAX_ANSWER_BYTES,
    });
    if (status !== 0) throw new Error(`answered with gRPC status ${status} ${text}`.trimEnd());
  };
}

function overHttp(host: TelemetryHost, { http }: Service<'http'>, timeoutMs: number): Send {
  const { set = [], add = [] } = http.headers ?? {};
  const headers = [
    'content-type',
    'application/x-protobuf',
    ...[...set, ...add].flatMap(({ name, value }) => [name.toLowerCase(), value]),
  ];
  const { url, cluster } = http;
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

/** Sends JSON of Zipkin's API v2. @param service name of this proxy's spans */
export function zipkinSender(host: TelemetryHost, provider: ZipkinTraceProvider, service: string): SendSpans {
  const { cluster, path } = provider;
  const hostname = provider.hostname ?? (/^[\w.-]+(?::\d+)?$/.test(cluster) ? cluster : 'localhost');
  return async (spans) => {
    const { status } = await host.fetch({
      url: `http://localhost${path}`,
      cluster,
      authority: hostname,
      method: 'POST',
      headers: ['content-type', 'application/json'],
      body: Buffer.from(zipkinJson(spans, service)),
      timeoutMs: TIMEOUT_MS,
      maxBodyBytes: MAX_ANSWER_BYTES,
    });
    // Envoy takes 202 alone; what is in use answers 200 too.
    if (status < 200 || status > 299) throw new Error(`answered with ${status}`);
  };
}
