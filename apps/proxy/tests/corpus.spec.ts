import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kernelDestinations } from '@tulle/intercept';
import { loadStandardFilters, loadStandardTelemetry } from '@tulle/standard/load';
import {
  duplexOf,
  httpUpstream,
  memoryNetwork,
  fakeClock,
  testProxy,
  type TestProxy,
  type TestResponse,
} from '@tulle/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dryRun } from '../src/dry-run.ts';
import { BootstrapError, loadBootstrap, type LoadedBootstrap } from '../src/load-bootstrap.ts';
import { startConfig } from '../src/merge-config.ts';
import { writeCertificates } from './certificates.ts';
import {
  bodyOf,
  configNames,
  configText,
  type Expectation,
  expectations,
  fieldsOf,
  service,
} from './corpus.ts';
import { askThroughTunnel } from './through-tunnel.ts';
import { WAITING } from './waiting.ts';

const directory = mkdtempSync(join(tmpdir(), 'tulle-corpus-'));
const expected = expectations();
const noKernel = whyNoKernel();
const served = configNames.filter((name) => !Object.hasOwn(WAITING, name));

beforeAll(async () => writeCertificates(directory));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function load(name: string): LoadedBootstrap {
  const file = join(directory, `${name}.yaml`);
  writeFileSync(file, configText(name, directory));
  return loadBootstrap({ configPath: file });
}

/** Why nobody can be asked here where connections were going; `undefined`: the kernel can. */
function whyNoKernel(): string | undefined {
  try {
    kernelDestinations();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('the corpus', () => {
  it('has at least forty configurations, each with what is expected of it', () => {
    expect(configNames.length).toBeGreaterThanOrEqual(40);
    expect(Object.keys(expected).toSorted()).toEqual(configNames);
    const unasked = configNames.filter((name) => (expected[name] ?? []).length === 0);
    // The kernel must lead connections to it: captured.spec.ts asks it.
    expect(unasked).toEqual(['original-dst']);
  });

  it.for(served)('%s is taken, and the engine builds it', async (name, { skip }) => {
    skip(name === 'original-dst' && noKernel !== undefined, noKernel);
    const { translation } = load(name);
    const issues = await dryRun(startConfig(translation));
    expect(issues).toEqual([]);
  });

  it.each(Object.entries(WAITING))('%s waits, refused at %s', async (name, path) => {
    let refused: readonly { readonly path: string }[];
    try {
      refused = await dryRun(load(name).translation.config);
    } catch (error) {
      if (!(error instanceof BootstrapError)) throw error;
      refused = error.issues;
    }
    const paths = refused.map((issue) => issue.path);
    expect(paths, 'is refused no more, or elsewhere: correct waiting.ts').toContain(path);
  });
});

/**
 * In memory TLS is pretended, nothing is captured and nobody speaks gRPC: what is about certificates, names in hellos and such services
 * is asked of Envoy and a process beside it.
 */
const NOT_IN_MEMORY = new Set([
  'access-log-operators',
  'connect-backoff',
  'listener-logs',
  'upstream-tls',
  'mutual-tls',
  'sni-termination',
  'sds-file',
  'original-dst',
  'ext-proc',
  'ext-authz-network',
  'rate-limit-service',
  'filter-discovery',
  'upstream-proxy-protocol',
  'proxy-protocol-tlvs',
  'ext-authz-fields',
  'compressor-answers',
  'internal-listeners',
  'tunnel-answers',
  'connect-attempts',
  'filter-chain-matcher',
  'rbac-filter-state',
]);

describe.each(served.filter((name) => !NOT_IN_MEMORY.has(name)))('%s', (name) => {
  let proxy: TestProxy;
  beforeAll(async () => {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    for (const port of ['9001', '9002']) answerAt(network, `127.0.0.1:${port}`, port);
    answerAt(network, { path: '/tmp/tulle-corpus.sock' }, 'unix');
    const { translation } = load(name);
    proxy = await testProxy({
      ...(translation.zone && { zone: translation.zone }),
      config: translation.config,
      registry: await loadStandardFilters(),
      telemetry: await loadStandardTelemetry({}),
      clock,
      network,
      names: { localhost: ['127.0.0.1'] },
    });
    await clock.advance(1_000); // first health checks
  });
  afterAll(async () => proxy.stop());

  it.each((expected[name] ?? []).map((one, index) => [index, one] as const))('request %i', async (_, one) => {
    check(one, await ask(proxy, one));
  });
});

function answerAt(
  network: Parameters<typeof httpUpstream>[0],
  address: Parameters<typeof httpUpstream>[1],
  name: string,
): void {
  const answer = service(name);
  httpUpstream(network, address, ({ method, target, headers }) => {
    const said = answer({ method, target, headers });
    return said === 'silence' ? new Promise<never>(() => {}) : said;
  });
}

type Got = Pick<TestResponse, 'status' | 'body' | 'header'>;

async function ask(proxy: TestProxy, one: Expectation): Promise<Got> {
  const client = proxy.client({
    ...(one.listener !== undefined && { listener: one.listener }),
    ...(one.tls && { tls: { serverName: one.tls.name } }),
  });
  if (one.tunnel !== undefined) {
    const { status, body, headers } = await askThroughTunnel(duplexOf(client.connection), one);
    return { status, body, header: (name) => headers[name]?.toString() };
  }
  const body = bodyOf(one);
  let answered: TestResponse | undefined;
  const asked = client
    .request({
      method: one.method ?? 'GET',
      path: one.path ?? '/',
      headers: fieldsOf(one),
      ...(body !== undefined && { body }),
    })
    .then((response) => void (answered = response));
  // Retries wait, and so does the caller of a service that says nothing.
  for (let step = 0; step < 40 && answered === undefined; step++) await proxy.clock.advance(50);
  await asked;
  return answered as unknown as Got;
}

function check(one: Expectation, response: Got): void {
  expect(response.status).toBe(one.tulle?.status ?? one.status);
  if (one.body !== undefined) expect(response.body).toBe(one.body);
  if (one.has !== undefined) expect(response.body).toContain(one.has);
  for (const [key, value] of Object.entries(one.headers ?? {}))
    expect(response.header(key), key).toBe(value ?? undefined);
}
