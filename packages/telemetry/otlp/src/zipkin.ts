import { isIP } from 'node:net';
import { hrTimeToMicros, type RecordSpan } from './span.ts';

/** `SpanKind` of OpenTelemetry's API. */
const SERVER = 1;

/**
 * Spans as JSON of Zipkin's API v2 (zipkin2-api.yaml, `Span`). Attributes are tags, as texts; a failed span has the tag
 * `error`, which Zipkin shows in red.
 * @param service name of this proxy, for `localEndpoint`
 */
export function zipkinJson(spans: readonly RecordSpan[], service: string): string {
  return JSON.stringify(spans.map((span) => zipkinSpan(span, service)));
}

function zipkinSpan(span: RecordSpan, serviceName: string): object {
  const { traceId, spanId } = span.spanContext();
  const parentId = span.parentSpanContext?.spanId;
  const tags: Record<string, string> = {};
  for (const [name, value] of Object.entries(span.attributes))
    tags[name] = Array.isArray(value) ? value.join(',') : String(value);
  if (span.failed) tags['error'] = tags['error.type'] ?? 'true';
  const peer = tags['network.peer.address'] ?? '';
  // Others, of a Unix socket or within the process, have no place there.
  const version = isIP(peer);
  const port = Number(tags['network.peer.port']);
  return {
    // A trace id of 64 bits has only those.
    traceId: traceId.startsWith('0000000000000000') ? traceId.slice(16) : traceId,
    id: spanId,
    ...(parentId === undefined ? {} : { parentId }),
    kind: span.kind === SERVER ? 'SERVER' : 'CLIENT',
    name: span.name,
    timestamp: hrTimeToMicros(span.startTime),
    // Zipkin takes 0 for none.
    duration: Math.max(hrTimeToMicros(span.duration), 1),
    localEndpoint: { serviceName },
    ...(version === 0
      ? {}
      : {
          remoteEndpoint: {
            [`ipv${version}`]: peer,
            ...(port > 0 ? { port } : {}),
          },
        }),
    tags,
    ...(span.events.length > 0 && {
      annotations: span.events.map(({ name, time }) => ({ timestamp: hrTimeToMicros(time), value: name })),
    }),
    ...(span.shared ? { shared: true } : {}),
  };
}
