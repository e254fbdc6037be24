import type { AccessLog, AccessLogFilter, Listener } from '@tulle/model';
import { cluster, httpListener, route, tcpListener, type CodeListener } from '@tulle/proxy';
import type { StreamRecord, TelemetryPlugin } from '@tulle/telemetry';
import { expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { started } from './support.ts';

/** What a log was given, by its path; `open` counts those that are open. */
function loggers(): TelemetryPlugin & { readonly lines: Record<string, string[]>; open: number } {
  const plugin = {
    name: 'loggers',
    lines: {} as Record<string, string[]>,
    open: 0,
    accessLoggers: {
      kinds: ['file'],
      open: (given: unknown) => {
        const { path } = (given as AccessLog).to as { path: string };
        const lines = (plugin.lines[path] ??= []);
        plugin.open++;
        return {
          name: path,
          record: (one: StreamRecord): undefined => {
            const { filterChain, protocol, localPort, bytesReceived, cluster: to, durationMs } = one;
            lines.push(
              [
                filterChain || '-',
                protocol,
                localPort,
                bytesReceived,
                to || '-',
                durationMs,
                one.details,
                ...one.flags,
              ].join(' '),
            );
          },
          close: () => void plugin.open--,
        };
      },
    },
  };
  return plugin;
}

const to = (path: string, chosen?: AccessLogFilter): AccessLog => ({
  to: { kind: 'file', path },
  format: { text: '%PROTOCOL%' },
  ...(chosen && { filter: chosen }),
});

const HTTP = httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] });
const TCP = tcpListener({ host: '127.0.0.1', port: 8081, cluster: 'api' });

async function withListeners(
  listeners: readonly CodeListener[],
): Promise<{ readonly test: TestProxy; readonly log: ReturnType<typeof loggers> }> {
  const log = loggers();
  const test = await started({
    listeners: [...listeners],
    clusters: [cluster('api', ['10.0.0.1:80'])],
    upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }) },
    telemetry: [log],
  });
  return { test, log };
}

const chains = (listener: CodeListener, match: object): CodeListener['filterChains'] =>
  listener.filterChains.map((one) => ({ ...one, name: 'only', match }));

it('have a line for each connection of requests when it is over, with its bytes', async () => {
  const logged = { ...HTTP, filterChains: chains(HTTP, {}), accessLogs: [to('/all')] };
  const { test, log } = await withListeners([logged]);
  const connection = test.connect();
  connection.send('GET /a HTTP/1.1\r\nhost: a\r\n\r\n');
  await test.clock.advance(5);
  expect(log.lines['/all']).toEqual([]);
  connection.send('GET /b HTTP/1.1\r\nhost: a\r\n\r\n');
  await test.clock.advance(5);
  connection.close();
  await test.clock.advance(5);
  expect(log.lines['/all']).toEqual(['only HTTP/1.1 8080 56 - 10 ']);
});

it('say of a connection of bytes what its chain says, beside the log of that', async () => {
  const [chain] = chains(TCP, {});
  const own = { ...chain, handler: { ...chain?.handler, accessLogs: [to('/chain')] } } as never;
  const { test, log } = await withListeners([{ ...TCP, filterChains: [own], accessLogs: [to('/all')] }]);
  const connection = test.connect();
  connection.send('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  await test.clock.advance(5);
  connection.close(true);
  await test.clock.advance(5);
  expect(log.lines['/all']).toHaveLength(1);
  expect(log.lines['/all']).toEqual(log.lines['/chain']);
  expect(log.lines['/all']?.[0]).toMatch(/^only TCP 8081 46 api /);
});

it('say what no chain took, and by whom a connection was refused', async () => {
  const nobody = { ...HTTP, filterChains: chains(HTTP, { destinationPort: 1 }), accessLogs: [to('/all')] };
  const none = await withListeners([nobody]);
  none.test.connect();
  await none.test.clock.advance(5);
  expect(none.log.lines['/all']).toEqual(['- TCP 8080 0 - 0 filter_chain_not_found NR']);
});

it('tell lines of listeners from those of handlers by their type', async () => {
  const kinds = (type: 'NotSet' | 'TcpConnectionEnd'): AccessLogFilter => ({
    kind: 'log-type',
    types: [type],
  });
  const accessLogs = [to('/not-set', kinds('NotSet')), to('/tcp', kinds('TcpConnectionEnd'))];
  const { test, log } = await withListeners([{ ...HTTP, accessLogs }]);
  const connection = test.connect();
  connection.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await test.clock.advance(5);
  connection.close();
  await test.clock.advance(5);
  expect([log.lines['/not-set']?.length, log.lines['/tcp']?.length]).toEqual([1, 0]);
});

it('stay open while what they say stays, and close behind their last connection', async () => {
  const logged = { ...HTTP, accessLogs: [to('/all')] };
  const { test, log } = await withListeners([logged]);
  const connection = test.connect();
  await test.clock.advance(1);
  const { config } = test.proxy;
  const [listener] = config.listeners as [Listener];
  await test.proxy.update({ ...config, version: '2', listeners: [{ ...listener, maxConnections: 9 }] });
  expect(log.open).toBe(1);
  const { accessLogs: _, ...silent } = listener;
  await test.proxy.update({ ...config, version: '3', listeners: [silent] });
  expect(log.open).toBe(1);
  connection.close();
  await test.clock.advance(5);
  expect([log.open, log.lines['/all']?.length]).toEqual([0, 1]);
});
