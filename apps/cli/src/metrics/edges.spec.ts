import { expect, it } from 'vitest';
import { edgesOf } from './edges.ts';
import { readMetrics } from './metrics-page.ts';

const count = (
  labels: Readonly<Record<string, string>>,
  value: number,
  name = 'tulle_requests_total',
): string =>
  `${name}{${Object.entries({
    source_workload: 'web',
    source_namespace: 'default',
    destination_service: 'orders',
    destination_namespace: 'shop',
    direction: 'inbound',
    connection_security: 'mutual_tls',
    response_code: '200',
    flags: '',
    ...labels,
  })
    .map(([label, text]) => `${label}="${text}"`)
    .join(',')}} ${value}`;

it('an edge is a caller and a Service, counted once although both sides count, with how it was secured', () => {
  const edges = edgesOf(
    readMetrics(
      [
        count({ direction: 'outbound' }, 9),
        count({}, 10),
        count({ response_code: '500' }, 2),
        count({ source_workload: 'unknown', connection_security: 'none' }, 3),
        count({ destination_service: 'db' }, 4, 'tulle_tcp_connections_total'),
        count({ destination_service: 'lost', direction: 'outbound', flags: 'URX,UH' }, 5),
        count({ destination_service: 'unknown', direction: 'outbound' }, 5),
        count({ destination_service: 'idle' }, 0),
      ].join('\n'),
    ),
  );
  expect(
    edges.map(({ source, destination, calls, security }) => [source, destination, calls, security]),
  ).toEqual([
    ['web', 'orders', 12, { mutual_tls: 12 }],
    ['unknown', 'orders', 3, { none: 3 }],
    ['web', 'db', 4, { mutual_tls: 4 }],
  ]);
});
