import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FilterChain, ProxyConfig } from '@tulle/model';
import { expect, it, vi } from 'vitest';
import { PlaintextTotals, takesPlaintext, watchPlaintext, type PlaintextPage } from './plaintext-report.ts';

const ports = [{ port: 8080, inboundPort: 15006 }];
const page = (clients: Readonly<Record<string, number>>, forgotten = 0, port = 15006): PlaintextPage => ({
  listeners: [
    {
      address: `127.0.0.1:${port}`,
      forgotten,
      clients: Object.entries(clients).map(([address, connections], i) => ({
        address,
        connections,
        lastSeenMs: 1_000 + i,
      })),
    },
  ],
});

it('what processes count is added up, and stays when one ends', () => {
  const totals = new PlaintextTotals(ports);
  expect(totals.take(1, page({ '10.0.0.1': 2 }))).toBe(true);
  expect(totals.take(1, page({ '10.0.0.1': 2 }))).toBe(false);
  expect(totals.take(2, page({ '10.0.0.1': 1, '10.0.0.2': 4 }, 7))).toBe(true);
  totals.keepOnly([2]);
  expect(totals.take(2, page({ '10.0.0.1': 3, '10.0.0.2': 4 }, 7))).toBe(true);
  expect(totals.take(2, page({}, 0, 9999))).toBe(false); // a port of nobody
  expect(totals.report()).toEqual([
    {
      port: 8080,
      clients: [
        { address: '10.0.0.2', connections: 4, lastSeenMs: 1_001 },
        { address: '10.0.0.1', connections: 5, lastSeenMs: 1_000 },
      ],
      others: 7,
    },
  ]);
});

it('a hundred clients are told of, the others are a number', () => {
  const totals = new PlaintextTotals(ports);
  totals.take(1, page(Object.fromEntries(Array.from({ length: 130 }, (_, i) => [`10.0.0.${i}`, 1]))));
  const [report] = totals.report();
  expect([report?.clients.length, report?.clients[0]?.address, report?.others]).toEqual([
    100,
    '10.0.0.129',
    30,
  ]);
});

const config = (...tls: readonly boolean[]): ProxyConfig =>
  ({
    listeners: [
      { direction: 'inbound', filterChains: tls.map((has) => (has ? { tls: {} } : {})) as FilterChain[] },
    ],
  }) as unknown as ProxyConfig;

it('plain text is taken where it is beside mutual TLS', () => {
  expect([config(true), config(true, false), config(false), config()].map(takesPlaintext)).toEqual([
    false,
    true,
    false,
    false,
  ]);
});

it('engines are asked while plain text is taken, and what is new is told', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tulle-plaintext-'));
  const path = join(directory, 'admin.sock');
  let connections = 1;
  const server = createServer((req, res) => {
    expect(req.url).toBe('/plaintext');
    res.end(JSON.stringify(page({ '10.0.0.1': connections })));
  }).listen(path);
  const supervisor = {
    status: () => ({ processes: [{ generation: 1, slot: 0, adminAddress: { path } }] }),
  } as unknown as Parameters<typeof watchPlaintext>[0];
  const told: unknown[] = [];
  const watch = watchPlaintext(
    supervisor,
    new PlaintextTotals(ports),
    () => told.push(watch.report()?.[0]?.clients[0]?.connections),
    5,
  );
  expect(watch.report()).toBeUndefined();
  watch.configured(config(true, false));
  await vi.waitFor(() => expect(told).toEqual([1]));
  connections = 3;
  await vi.waitFor(() => expect(told).toEqual([1, 3]));
  watch.configured(config(true));
  expect(told).toEqual([1, 3, undefined]);
  watch.stop();
  server.close();
  rmSync(directory, { recursive: true });
});
