import { strict as assert } from 'node:assert';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCa, memoryStore } from '@tulle/ca';
import { freePort, type Running, start } from '@tulle/processes';
import { cluster, createProxy, httpListener, type Proxy, route } from '@tulle/proxy';
import { identityFiles, type IdentityFiles, workloadId } from '@tulle/spiffe';
import { localhostCertificate } from '../certificate.ts';
import { go, type GoPrograms, goPrograms } from '../go-programs.ts';
import { writeIdentity } from '../mesh.ts';
import type { Case, Opened, Suite } from '../suite.ts';

/** Client and server of grpc-go's interop tests. */
export const programs: GoPrograms = goPrograms(
  'the interop programs of grpc-go',
  join(import.meta.dirname, 'program'),
  {
    client: 'google.golang.org/grpc/interop/client',
    server: 'google.golang.org/grpc/interop/server',
  },
);

/** The cases that grpc-go's own script runs: those that need no account anywhere. */
const CASES = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'unimplemented_method',
  'unimplemented_service',
  'orca_per_rpc',
  'orca_oob',
  'rpc_soak',
  'channel_soak',
] as const;

/** Calls of the soaks; none may fail. Every one carries 271,828 bytes there and 314,159 back. */
const SOAK: Readonly<Record<string, number>> = { rpc_soak: 1_000, channel_soak: 200 };

/** The load balancer of grpc-go's own script: by it the client hears what servers report of their load. */
const BACKEND_METRICS = '{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}';

/** How a client reaches the server. */
interface Way {
  readonly port: number;
  readonly flags: readonly string[];
}

const WAYS = {
  clear: 'through one proxy in clear text',
  tls: 'through one proxy, TLS on both sides',
  pair: 'through a pair of proxies, mutual TLS with SVIDs between them',
} as const;
type Ways = Readonly<Record<keyof typeof WAYS, Way>>;

const TRUST_DOMAIN = 'mesh.test';
const idOf = (serviceAccount: string): string =>
  workloadId({ trustDomain: TRUST_DOMAIN, namespace: 'default', serviceAccount });

async function open(): Promise<Opened<Ways>> {
  const directory = await mkdtemp(join(tmpdir(), 'tgr-'));
  const running: Running[] = [];
  const proxies: Proxy[] = [];
  const identities: IdentityFiles[] = [];
  const files = await localhostCertificate(directory);
  const ca = await createCa({ trustDomain: TRUST_DOMAIN, store: memoryStore() });
  const identityOf = async (name: string): Promise<IdentityFiles> => {
    const paths = await writeIdentity(ca, idOf(name), directory, name);
    const identity = await identityFiles({
      certificateFile: paths.certificate,
      keyFile: paths.key,
      rootFiles: { [TRUST_DOMAIN]: paths.roots },
    });
    identities.push(identity);
    return identity;
  };
  const server = async (...flags: string[]): Promise<string> => {
    const port = await freePort();
    const env = { GRPC_GO_LOG_SEVERITY_LEVEL: 'info' };
    const program = start(programs.path('server'), [`--port=${port}`, ...flags], { env });
    running.push(program);
    await program.said(/ListenSocket created|interop server listening/i);
    return `127.0.0.1:${port}`;
  };
  const started = async (proxy: Proxy): Promise<number> => {
    await proxy.start();
    proxies.push(proxy);
    return (proxy.addresses()['http'] as { port: number }).port;
  };

  const clearServer = await server();
  const tlsServer = await server(
    '--use_tls',
    `--tls_cert_file=${files.certificateFile}`,
    `--tls_key_file=${files.keyFile}`,
  );
  const clear = await started(
    createProxy({
      log: silent,
      listeners: [httpListener({ port: 0, routes: [route('/', 'server')] })],
      clusters: [cluster('server', [clearServer], { pool: { protocol: 'http2' } })],
    }),
  );
  const tls = await started(
    createProxy({
      log: silent,
      listeners: [
        httpListener({
          port: 0,
          tls: { certificate: { kind: 'files', ...files }, alpn: ['h2'] },
          routes: [route('/', 'server')],
        }),
      ],
      clusters: [
        cluster('server', [tlsServer], {
          pool: { protocol: 'http2' },
          tls: {
            trust: { kind: 'files', caFile: files.certificateFile },
            serverName: 'localhost',
            alpn: ['h2'],
          },
        }),
      ],
    }),
  );
  const inbound = await started(
    createProxy({
      log: silent,
      identity: await identityOf('server'),
      listeners: [
        httpListener({
          port: 0,
          direction: 'inbound',
          tls: {
            certificate: { kind: 'workload' },
            trust: { kind: 'mesh' },
            clientCertificate: 'require',
            alpn: ['h2', 'http/1.1'],
          },
          routes: [route('/', 'server')],
        }),
      ],
      clusters: [cluster('server', [clearServer], { pool: { protocol: 'http2' } })],
    }),
  );
  const pair = await started(
    createProxy({
      log: silent,
      identity: await identityOf('client'),
      listeners: [httpListener({ port: 0, direction: 'outbound', routes: [route('/', 'server')] })],
      clusters: [
        cluster(
          'server',
          [
            {
              address: { host: '127.0.0.1', port: inbound },
              identity: idOf('server'),
              mode: 'sidecar',
            },
          ],
          {
            pool: { protocol: 'http2' },
            tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' }, alpn: ['h2'] },
          },
        ),
      ],
    }),
  );
  return {
    context: {
      clear: { port: clear, flags: [] },
      tls: {
        port: tls,
        flags: [
          '--use_tls',
          '--use_test_ca',
          `--ca_file=${files.certificateFile}`,
          '--server_host_override=localhost',
        ],
      },
      pair: { port: pair, flags: [] },
    },
    async close() {
      await Promise.all(proxies.map((proxy) => proxy.stop()));
      await Promise.all(running.map((program) => program.stop()));
      for (const identity of identities) identity.close();
      await ca.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** Refused handshakes and broken streams are judged by what the client says of them. */
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Plays one case of grpc-go's client. */
async function play(name: string, { port, flags }: Way): Promise<void> {
  const iterations = SOAK[name];
  const soak =
    iterations === undefined
      ? []
      : [
          `--soak_iterations=${iterations}`,
          '--soak_max_failures=0',
          '--soak_overall_timeout_seconds=120',
          '--soak_per_iteration_max_acceptable_latency_ms=5000',
        ];
  const args = [
    '--server_host=127.0.0.1',
    `--server_port=${port}`,
    `--test_case=${name}`,
    `--service_config_json=${BACKEND_METRICS}`,
    ...flags,
    ...soak,
  ];
  const program = start(programs.path('client'), args);
  const timer = setTimeout(() => void program.stop('SIGKILL'), 150_000);
  const { code, err } = await program.ended;
  clearTimeout(timer);
  assert.equal(code, 0, err.slice(-2_000));
}

export const grpcSuite: Suite<Ways> = {
  name: 'grpc',
  about: "grpc-go's interop client and server through Tulle",
  needs: [go, programs],
  open,
  cases: (Object.keys(WAYS) as (keyof Ways)[]).flatMap((way) =>
    CASES.map((name): Case<Ways> => ({
      name: `${name}${name in SOAK ? ` (${SOAK[name]} calls)` : ''}, ${WAYS[way]}`,
      run: (ways) => play(name, ways[way]),
    })),
  ),
};
