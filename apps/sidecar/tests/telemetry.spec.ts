import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { memoryStore } from '@tulle/ca';
import type { Address } from '@tulle/model';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startSidecar, type Sidecar, type SidecarOptions, type SidecarTelemetry } from '../src/index.ts';
import { standIn, trustDomain, type StandIn } from './stand-in.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  /** 2 server, 3 client. */
  readonly kind: number;
  readonly service: string;
}

type Json = Readonly<Record<string, unknown>>;
const list = (of: unknown, name: string): readonly Json[] => ((of as Json)[name] ?? []) as readonly Json[];

let dir = '';
let plane: StandIn;
let app: Server;
let seenByApp: IncomingHttpHeaders[] = [];
let collector: Server;
const spans: Span[] = [];
let wake: (() => void)[] = [];
const running: Sidecar[] = [];

const listening = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'st-'));
  plane = await standIn(0, memoryStore());
  spans.length = 0;
  seenByApp = [];
  app = createServer((req, res) => {
    seenByApp.push(req.headers);
    res.end('ok');
  });
  collector = createServer((req, res) => {
    let body = '';
    req
      .setEncoding('utf8')
      .on('data', (piece: string) => (body += piece))
      .on('end', () => {
        for (const of of list(JSON.parse(body), 'resourceSpans')) {
          const service = list(of['resource'], 'attributes').find((one) => one['key'] === 'service.name');
          for (const scoped of list(of, 'scopeSpans'))
            for (const span of list(scoped, 'spans'))
              spans.push({
                ...span,
                service: (service?.['value'] as Json | undefined)?.['stringValue'],
              } as unknown as Span);
        }
        res.end('{}');
        for (const one of wake.splice(0)) one();
      });
  });
});
afterEach(async () => {
  await Promise.all(running.splice(0).map(async (sidecar) => sidecar.stop(0)));
  await plane.close();
  for (const server of [app, collector]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  wake = [];
  await rm(dir, { recursive: true });
});

const sidecar = async (name: string, options: Partial<SidecarOptions>): Promise<Sidecar> => {
  const made = await startSidecar({
    name,
    ports: [],
    controlPlane: { xds: [plane.address], trustDomain },
    joinToken: async () => plane.token(name),
    stateDir: join(dir, 'state', name),
    runDir: join(dir, name),
    log: quiet,
    ...options,
  });
  running.push(made);
  await made.ready();
  return made;
};

async function get(address: Address, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const where =
      'path' in address ? { socketPath: address.path } : { host: address.host, port: address.port };
    request({ ...where, path, agent: false, headers: { host: 'web' } }, (res) => {
      let body = '';
      res
        .setEncoding('utf8')
        .on('data', (piece: string) => (body += piece))
        .on('end', () => resolve({ status: res.statusCode ?? 0, body }));
    })
      .on('error', reject)
      .end();
  });
}

it('tells of one call in one trace through both sidecars, in log lines and metrics of their own words', async () => {
  const port = await listening(app);
  const telemetry: SidecarTelemetry = {
    accessLogFormat: '%TRACE_ID% "%REQ(:PATH)%" %RESPONSE_CODE% %DIRECTION%',
    metricsDialects: ['istio'],
    otlp: {
      endpoint: `http://127.0.0.1:${await listening(collector)}`,
      protocol: 'http/json',
      traces: { sampleRatio: 1, delayMs: 10 },
    },
  };
  const log = join(dir, 'access.log');
  await sidecar('web', { ports: [{ port }], labels: { app: 'web', version: 'v1' }, telemetry });
  const client = await sidecar('client', {
    upstreams: [{ service: 'web', localPort: 0 }],
    accessLog: { file: log },
    telemetry,
  });
  const entry = (client.upstreams[0] as { address: Address }).address;
  while ((await get(entry, '/warm-up')).status !== 200) await new Promise((resolve) => setImmediate(resolve));
  expect((await get(entry, '/orders')).status).toBe(200);

  const [, traceId, parent] =
    /^00-(.{32})-(.{16})-03$/.exec(seenByApp.at(-1)?.['traceparent'] as string) ?? [];
  const of = (): Span[] => spans.filter((span) => span.traceId === traceId);
  while (of().length < 4) await new Promise<void>((resolve) => wake.push(resolve));
  const [first] = of().filter((span) => (span.parentSpanId ?? '') === '');
  const chain = [first as Span];
  for (let next = chain[0]; next !== undefined;) {
    const { spanId }: Span = next;
    next = of().find((span) => span.parentSpanId === spanId);
    if (next !== undefined) chain.push(next);
  }
  expect(chain.map(({ service, kind }) => [service, kind])).toEqual([
    ['client.default', 2],
    ['client.default', 3],
    ['web.default', 2],
    ['web.default', 3],
  ]);
  expect(chain[3]?.spanId).toBe(parent);

  const { body } = await get(client.admin, '/stats/prometheus');
  expect(body).toMatch(
    /istio_requests_total\{[^}]*destination_canonical_service="web"[^}]*source_principal="spiffe:\/\/[^"]*\/sa\/client"/,
  );
  expect(body).not.toContain('tulle_requests_total');
  await Promise.all(running.splice(0).map(async (one) => one.stop(0)));
  expect(await readFile(log, 'utf8')).toContain(`${traceId} "/orders" 200 outbound\n`);
});

it('does not start with a format that is wrong, and says where', async () => {
  await expect(
    sidecar('web', { accessLog: { file: join(dir, 'a.log') }, telemetry: { accessLogFormat: 'a %NOPE%' } }),
  ).rejects.toThrow('format column 3: there is no operator %NOPE%');
});
