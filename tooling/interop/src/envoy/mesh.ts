import { strict as assert } from 'node:assert';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningControlPlane, startControlPlane } from '@tulle/app-control-plane';
import { freePort, type Running, start } from '@tulle/processes';
import { controlPlaneId, workloadId } from '@tulle/spiffe';
import { type IdentityPaths, startOrigin, startTlsOrigin, type TlsOrigin, writeIdentity } from '../mesh.ts';
import type { Opened } from '../suite.ts';
import { bootstrap } from './bootstrap.ts';
import { envoyProgram } from './program.ts';

const TRUST_DOMAIN = 'mesh.test';

/** A control plane, two services outside the mesh, and an Envoy that calls the Service `web`. */
export interface Mesh {
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
  /** Asks an Envoy's admin interface. */
  adminOf(name: string, path: string): Promise<string>;
  /** Ports of the origins `one` and `two`. */
  readonly origins: readonly [number, number];
  apply(yaml: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Starts another Envoy: one that calls `web` at this port, and others that its metadata names. Default over delta ADS. */
  startEnvoy(name: string, localPort: number, metadata?: object, apiType?: 'GRPC'): Promise<Running>;
  /** Certificate of a service account, as files. */
  identityOf(name: string): Promise<IdentityPaths & { readonly spiffeId: string }>;
}

/** How one kind of resource stands at a proxy. */
export interface KindStatus {
  readonly state: string;
  readonly error?: string;
  readonly acked: number;
  readonly nacked: number;
}

export const service = (name: string): string =>
  `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { selector: { app: ${name} }, ports: [{ name: http, port: 80, targetPort: http }] }\n`;
/** Mode `none`: reached in plain text, as whatever has no sidecar. */
export const workload = (name: string, app: string, port: number): string =>
  `---\napiVersion: tulle.dev/v1alpha1\nkind: Workload\nmetadata: { name: ${name}, labels: { app: ${app} } }\nspec: { address: 127.0.0.1, ports: [{ name: http, port: ${port} }], inbound: { mode: none } }\n`;

/** Reached over TLS of the mesh, as whatever has a sidecar. */
export const meshWorkload = (name: string, app: string, port: number): string =>
  `---\napiVersion: tulle.dev/v1alpha1\nkind: Workload\nmetadata: { name: ${name}, labels: { app: ${app} } }\nspec: { address: 127.0.0.1, ports: [{ name: http, port: 1 }], serviceAccount: ${app}, inbound: { mode: sidecar, port: ${port} } }\n`;

/** A filter for callers of `web`. */
export const outboundPolicy = (name: string, phase: string, filter: string, config: object): string =>
  `---\napiVersion: tulle.dev/v1alpha1\nkind: FilterPolicy\nmetadata: { name: ${name} }\nspec: { targetRefs: [{ group: '', kind: Service, name: web }], direction: outbound, phase: ${phase}, filter: ${filter}, config: ${JSON.stringify(config)} }\n`;

export async function openMesh(): Promise<Opened<Mesh>> {
  const directory = await mkdtemp(join(tmpdir(), 'tulle-envoy-'));
  const controlPlane = await startControlPlane({
    stateDir: join(directory, 'state'),
    trustDomain: TRUST_DOMAIN,
  });
  const api = controlPlane.endpoints.api;
  const origins = await Promise.all(
    ['one', 'two'].map((name) =>
      startOrigin((request, response) => {
        // Also asked by Envoy who may pass.
        if (request.url?.startsWith('/refuse') === true) response.statusCode = 402;
        response.setHeader('x-added', `by-${name}`);
        response.end(`${name} ${request.url} ${String(request.headers['x-added'])}`);
      }),
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
  const startEnvoy: Mesh['startEnvoy'] = async (name, localPort, metadata = {}, apiType) => {
    const identity = await identityOf(name);
    const config = bootstrap({
      xds: controlPlane.endpoints.xds,
      controlPlaneId: controlPlaneId(TRUST_DOMAIN),
      ...identity,
      apiType: apiType ?? 'DELTA_GRPC',
      metadata: {
        workload: name,
        certificate: { certificateFile: identity.certificate, keyFile: identity.key },
        upstreams: [{ service: 'web', localPort }],
        ...metadata,
      },
    });
    const file = join(directory, `${name}.json`);
    await writeFile(file, JSON.stringify(config));
    const args = [
      ...['-c', file, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'warning'],
      ...['--admin-address-path', join(directory, `${name}.admin`)],
    ];
    const envoy = start(await envoyProgram(), args, { cwd: directory });
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
    const envoy = await startEnvoy('caller', localPort, {
      upstreams: [
        { service: 'web', localPort },
        { service: 'secure', localPort: securePort },
      ],
    });
    return {
      context: {
        controlPlane,
        directory,
        envoy,
        local: `http://127.0.0.1:${localPort}`,
        secure: `http://127.0.0.1:${securePort}`,
        securePort: origin.port,
        become: async (serviceAccount) => origin.become(await identityOf(serviceAccount)),
        async adminOf(name, path) {
          const address = await readFile(join(directory, `${name}.admin`), 'utf8');
          return (await fetch(`http://${address}${path}`)).text();
        },
        origins: [one, two],
        apply,
        remove: (path) => call('DELETE', path),
        startEnvoy,
        identityOf,
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Below the 15 s for which Envoy waits where something is not answered: secrets, or the endpoints of a cluster. */
export const WARM_MS: number = 10_000;

/** Over a connection of its own: one that is there keeps the filters of the listener of before until Envoy drains it. */
export async function ask(url: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const answer = await fetch(url, {
    headers: { ...headers, connection: 'close' },
    signal: AbortSignal.timeout(5_000),
  });
  return `${answer.status} ${await answer.text()}`;
}

export function kindsOf(mesh: Mesh, workloadName: string): Readonly<Record<string, KindStatus>> {
  const { proxies } = mesh.controlPlane.controlPlane.status();
  const proxy = proxies.find((one) => one.workload === workloadName);
  assert(proxy !== undefined, `${workloadName} is not in the status`);
  return proxy.kinds;
}
