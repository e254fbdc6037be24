import type { JsonSchema } from '../filters/json-schema.ts';
import { MAX_RECEIVED_BYTES } from '../health-check.ts';
import { fields, flag, labels, listOf, milliseconds, name, names, oneOf, text, whole } from './parts.ts';
import { stringMatchSchema } from './string-match.ts';

const rhythm: Readonly<Record<string, JsonSchema>> = {
  name,
  intervalMs: milliseconds(1),
  timeoutMs: milliseconds(1),
  unhealthyThreshold: whole(1, 1_000_000),
  healthyThreshold: whole(1, 1_000_000),
  initialJitterMs: milliseconds(),
  intervalJitterMs: milliseconds(),
  intervalJitterPercent: whole(0, 100),
  noTrafficIntervalMs: milliseconds(1),
  unhealthyIntervalMs: milliseconds(1),
  noTrafficHealthyIntervalMs: milliseconds(1),
  unhealthyEdgeIntervalMs: milliseconds(1),
  healthyEdgeIntervalMs: milliseconds(1),
  altPort: whole(1, 65_535),
  reuseConnection: flag,
  alpn: names,
  tlsLabels: labels,
  eventLogs: names,
  logsFailures: flag,
  logsSuccesses: flag,
};
const REQUIRED = ['kind', 'intervalMs', 'timeoutMs', 'unhealthyThreshold', 'healthyThreshold'] as const;

const statuses: JsonSchema = listOf(fields(['from', 'to'], { from: whole(100, 599), to: whole(100, 599) }));

const headers: JsonSchema = listOf(fields(['name', 'value'], { name, value: text }));

const hex: JsonSchema = {
  type: 'string',
  minLength: 2,
  maxLength: 8_192,
  pattern: '^(?:[0-9a-fA-F]{2})+$',
  description: 'Bytes, two hexadecimal digits each.',
};

/** JSON Schema of `HealthCheck`. */
export const healthCheckSchema: JsonSchema = {
  anyOf: [
    fields([...REQUIRED, 'path'], {
      kind: { const: 'http' },
      path: {
        type: 'string',
        pattern: '^/[\\x21-\\x22\\x24-\\x7e]*$',
        description: 'A path, with a query if need be.',
      },
      host: name,
      method: oneOf('GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'),
      headers,
      codec: oneOf('http2'),
      expectedStatuses: statuses,
      retriableStatuses: statuses,
      send: hex,
      receive: listOf(hex),
      receiveWithinBytes: whole(0, MAX_RECEIVED_BYTES),
      serviceName: stringMatchSchema,
      withoutUserAgent: flag,
      ...rhythm,
    }),
    fields(REQUIRED, {
      kind: { const: 'grpc' },
      service: {
        type: 'string',
        minLength: 1,
        maxLength: 1_024,
        description: 'Full name of a service. Default: the server as a whole.',
      },
      authority: name,
      headers,
      ...rhythm,
    }),
    fields(REQUIRED, {
      kind: { const: 'tcp' },
      send: hex,
      receive: listOf(hex),
      proxyProtocol: { enum: [1, 2] },
      ...rhythm,
    }),
  ],
};
