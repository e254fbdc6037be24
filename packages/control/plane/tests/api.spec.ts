import { connect } from 'node:net';
import { createRegistry, renderText, type Registry } from '@tulle/metrics';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { readResources, type Diagnostic } from '@tulle/resources';
import { createApi, createControlPlane, type Api, type ControlPlane } from '../src/index.ts';
import { nodeOf } from './nodes.ts';
import { simulatedProxy } from './simulated-proxy.ts';

const SECRET = 'of-the-test';
const SERVICE = (name: string, port: number | string = 80): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: ${port} }] }\n`;

let plane: ControlPlane;
let api: Api;
let base: string;
let conforms: (method: string, path: string, answer: { status: number; type: string; body: unknown }) => void;

/** Checks answers against the API's own description. */
async function checker(): Promise<typeof conforms> {
  const description = (await (await fetch(`${base}/openapi.json`)).json()) as {
    paths: Record<
      string,
      Record<string, { responses: Record<string, { content: Record<string, { schema: object }> }> }>
    >;
  };
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(description, 'api');
  const patterns = Object.keys(description.paths).map((path) => ({
    path,
    regex: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }));
  return (method, url, { status, type, body }) => {
    const path = patterns.find(({ regex }) => regex.test(url.split('?', 1)[0] as string))?.path ?? '';
    const content = description.paths[path]?.[method.toLowerCase()]?.responses[status]?.content[type];
    if (content === undefined) throw new Error(`${method} ${path} describes no ${status} of ${type}`);
    const pointer = [path, method.toLowerCase(), 'responses', String(status), 'content', type, 'schema']
      .map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/');
    if (!ajv.validate({ $ref: `api#/paths/${pointer}` }, body))
      throw new Error(`${method} ${url} answered ${JSON.stringify(body)}: ${ajv.errorsText()}`);
  };
}

/** A request over a socket; every answer must be as described. */
async function call<T = Record<string, unknown>>(
  method: string,
  path: string,
  body?: string,
  contentType = 'application/yaml',
): Promise<{ status: number; body: T }> {
  const response = await fetch(base + path, {
    method,
    headers: {
      authorization: `Bearer ${SECRET}`,
      ...(body === undefined ? {} : { 'content-type': contentType }),
    },
    ...(body === undefined ? {} : { body }),
  });
  const parsed = (await response.json()) as T;
  const type = (response.headers.get('content-type') ?? '').split(';', 1)[0] as string;
  conforms(method, path, { status: response.status, type, body: parsed });
  return { status: response.status, body: parsed };
}

beforeEach(async () => {
  plane = createControlPlane({ trustDomain: 'mesh.local', debounceMs: 1 });
  api = createApi({ controlPlane: plane, secret: SECRET });
  base = await api.listen({ port: 0 });
  conforms = await checker();
});
afterEach(async () => {
  await api.close();
  await plane.close();
});

describe('what is applied over REST', () => {
  it('holds back when something has another version than the caller read', async () => {
    await call('POST', '/api/v1/apply', SERVICE('one'));
    const { version } = (await call('GET', '/api/v1/resources/Service/default/one')).body;
    const path = `/api/v1/apply?ifVersion=Service/default/one@${String(version)}`;
    await call('POST', '/api/v1/apply', SERVICE('one', 81));
    expect(await call('POST', path, SERVICE('one', 82))).toMatchObject({
      status: 412,
      body: { code: 'TULLE_API_CHANGED', detail: expect.stringContaining('Service/default/one') as string },
    });
    expect(plane.resource('Service/default/one')?.resource).toMatchObject({
      spec: { ports: [{ port: 81 }] },
    });
    const now = plane.resource('Service/default/one')?.version;
    expect(
      await call(
        'POST',
        `/api/v1/apply?ifVersion=Service/default/one@${now}&ifVersion=Service/default/two@1`,
        SERVICE('one', 82),
      ),
    ).toMatchObject({ status: 412, body: { detail: expect.stringContaining('default/two') as string } });
    expect(
      await call('POST', `/api/v1/apply?ifVersion=Service/default/one@${now}`, SERVICE('one', 82)),
    ).toMatchObject({ status: 200 });
  });

  const FAULTY = [
    SERVICE('one', "'80'"),
    'apiVersion: v1\nkind: Service\nmetadata: { name: TWO }\nspek: {}\n',
    'kind: [\n',
    'apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec:\n  parentRefs: [{ group: "", kind: Service, name: one }]\n  rules:\n    - backendRef: []\n      timeouts: { request: fast }\n',
    SERVICE('good'),
  ].join('---\n');

  it('gives the status of Gateways and routes, which nobody can write', async () => {
    const yaml = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, generation: 7 }
spec: { gatewayClassName: tulle, listeners: [{ name: http, port: 80, protocol: HTTP }] }
status: { conditions: [{ type: Programmed, status: 'True' }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec: { parentRefs: [{ name: edge }] }
`;
    expect((await call('POST', '/api/v1/apply', yaml)).status).toBe(200);
    type Got = { generation: number; status: { conditions: { type: string; status: string }[] } };
    const { body } = await call<Got>('GET', '/api/v1/resources/gateway/default/edge');
    expect(body.generation).toBe(1);
    expect(body.status.conditions).toMatchObject([
      { type: 'Accepted', status: 'True', reason: 'Accepted', observedGeneration: 1 },
      { type: 'Programmed', status: 'False', reason: 'Pending', observedGeneration: 1 },
      { type: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', observedGeneration: 1 },
    ]);
    const { body: list } = await call<{ items: unknown[] }>('GET', '/api/v1/resources?kind=httproutes');
    expect(list.items).toMatchObject([
      {
        status: {
          parents: [{ parentRef: { name: 'edge' }, controllerName: 'tulle.dev/gateway-controller' }],
        },
      },
    ]);
  });

  it('is refused with every fault of every document at once, the very ones of a file, with line and column', async () => {
    const { status, body } = await call<{ issues: Diagnostic[] }>('POST', '/api/v1/apply', FAULTY);
    expect(status).toBe(422);
    const file = await readResources([{ text: FAULTY, file: '' }]);
    expect(body.issues).toEqual(file.diagnostics.filter((d) => d.class === 'invalid'));
    expect(body.issues.length).toBeGreaterThan(5);
    expect(body.issues.map(({ position }) => `${position?.line}:${position?.column}`)).toContain('4:25');
    expect(plane.resources()).toEqual([]);
  });

  it('and as JSON with pointers into the body', async () => {
    const list = [
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { ports: [{ port: '1' }] } },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'b' },
        spec: { ports: [{ port: 80 }], selektor: {} },
      },
    ];
    const { status, body } = await call<{ issues: Diagnostic[] }>(
      'POST',
      '/api/v1/apply',
      JSON.stringify(list),
      'application/json',
    );
    expect(status).toBe(422);
    expect(body.issues.map(({ pointer, hint }) => [pointer, hint])).toEqual([
      ['/0/spec/ports/0/port', 'Number that callers use.'],
      ['/1/spec/selektor', 'did you mean "selector"?'],
    ]);
  });

  it('has a change id, and each resource an owner and a version; the same again changes nothing', async () => {
    const first = await call('POST', '/api/v1/apply', SERVICE('a'));
    expect(first).toMatchObject({ status: 200, body: { changed: ['Service/default/a'], unchanged: [] } });
    const change = await call('GET', `/api/v1/changes/${String(first.body['changeId'])}?waitMs=1000`);
    expect(change).toMatchObject({
      status: 200,
      body: { id: first.body['changeId'], resources: ['Service/default/a'], proxies: {}, settled: true },
    });
    const one = await call('GET', '/api/v1/resources/services/default/a');
    expect(one).toMatchObject({
      status: 200,
      body: { owner: 'rest', version: expect.stringMatching(/^[0-9a-f]{16}$/) as string },
    });
    expect((await call('POST', '/api/v1/apply', SERVICE('a'))).body).not.toHaveProperty('changeId');
    const changed = await call('PUT', '/api/v1/resources/services/default/a', SERVICE('a', 81));
    expect(changed).toMatchObject({ status: 200, body: { changed: ['Service/default/a'] } });
    const now = await call('GET', '/api/v1/resources/services/default/a');
    const { conditions, ...held } = now.body;
    expect(conditions).toMatchObject([{ type: 'EndpointsTaken', status: 'True' }]);
    expect(now.body['version']).not.toBe(one.body['version']);
    expect((await call('GET', '/api/v1/resources?kind=services')).body).toEqual({
      items: [held],
    });
    expect(await call('PUT', '/api/v1/resources/services/default/b', SERVICE('a'))).toMatchObject({
      status: 400,
      body: { code: 'TULLE_API_MISMATCH' },
    });
    expect((await call('DELETE', '/api/v1/resources/services/default/a')).status).toBe(200);
    expect((await call('GET', '/api/v1/resources/services/default/a')).status).toBe(404);
    expect((await call('DELETE', '/api/v1/resources/services/default/a')).status).toBe(404);
    expect((await call('GET', '/api/v1/changes/none')).status).toBe(404);
    expect((await call('GET', '/api/v1/changes/none?waitMs=x')).status).toBe(400);
  });

  it('and owned by a file is refused with 409 that names the file: apply, put and delete', async () => {
    const { resources } = await readResources([{ text: SERVICE('owned'), file: 'mesh/owned.yaml' }]);
    await plane.attach({
      id: 'file:mesh',
      close: async () => {},
      start: async (sink) =>
        void sink.apply({ cause: 'files', updates: [{ owner: 'file:mesh/owned.yaml', resources }] }),
    });
    for (const [method, path, body] of [
      ['POST', '/api/v1/apply', `${SERVICE('free')}---\n${SERVICE('owned', 81)}`],
      ['PUT', '/api/v1/resources/services/default/owned', SERVICE('owned', 81)],
      ['DELETE', '/api/v1/resources/services/default/owned', undefined],
    ] as const)
      expect(await call(method, path, body)).toMatchObject({
        status: 409,
        body: {
          code: 'TULLE0212',
          detail: 'Service default/owned belongs to file:mesh/owned.yaml',
          hint: 'change it in file:mesh/owned.yaml, or remove it there first',
          issues: [{ code: 'TULLE0212', resource: { kind: 'Service', name: 'owned' } }],
        },
      });
    expect(plane.resource('Service/default/free')).toBeUndefined();
  });
});

describe('how far a change got', () => {
  it('is told for each proxy: who has it, who refuses it and why, with the counters of both', async () => {
    const cluster = 'outbound|80||a.default.svc.mesh.local';
    const [content, picky] = ['content', 'picky'].map((workload) =>
      simulatedProxy(() => plane, nodeOf({ workload, upstreams: [{ service: 'a', localPort: 19_080 }] })),
    ) as [ReturnType<typeof simulatedProxy>, ReturnType<typeof simulatedProxy>];
    picky.refuses.add(`cluster ${cluster}`);
    for (const proxy of [content, picky]) {
      proxy.connect();
      proxy.settle();
    }
    const { body } = await call('POST', '/api/v1/apply', SERVICE('a'));
    const path = `/api/v1/changes/${String(body['changeId'])}`;
    plane.flush();
    expect((await call('GET', path)).body).toMatchObject({
      proxies: { [content.node.id]: { state: 'pending' }, [picky.node.id]: { state: 'pending' } },
      settled: false,
    });
    const waiting = call('GET', `${path}?waitMs=10000`);
    for (const proxy of [content, picky]) proxy.settle();
    expect((await waiting).body).toMatchObject({
      proxies: {
        [content.node.id]: { state: 'acked', propagationMs: expect.any(Number) as number },
        [picky.node.id]: { state: 'nacked', error: `no ${cluster}` },
      },
      settled: true,
    });
    type Status = { proxies: { id: string; changeId: string; kinds: { cluster: object } }[] };
    const { proxies } = (await call<Status>('GET', '/api/v1/status')).body;
    expect(proxies.map((p) => [p.id, p.changeId, p.kinds.cluster])).toMatchObject([
      [content.node.id, body['changeId'], { state: 'SYNCED', sent: 1, acked: 1, nacked: 0 }],
      [picky.node.id, body['changeId'], { state: 'NACKED', error: `no ${cluster}`, sent: 1, nacked: 1 }],
    ]);
    const config = await call('GET', `/api/v1/proxies/${encodeURIComponent(content.node.id)}/config`);
    expect(config.body['clusters']).toMatchObject([{ name: cluster }]);
    expect((await call('GET', '/api/v1/proxies/nobody/config')).status).toBe(404);
  });
});

it('whoever shows no secret gets nothing but health, metrics and the description', async () => {
  for (const path of ['/api/v1/status', '/api/v1/resources']) {
    const response = await fetch(base + path);
    const type = (response.headers.get('content-type') ?? '').split(';', 1)[0] as string;
    conforms('GET', path, { status: response.status, type, body: await response.json() });
    expect(response.status).toBe(401);
  }
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json'])
    expect((await fetch(base + path)).status).toBe(200);
});

describe('connections to REST', () => {
  /** Opens a connection, writes `text`, and tells what came until it ended. */
  const talk = (port: number, text: string): Promise<string> =>
    new Promise((resolve) => {
      let got = '';
      const socket = connect(port, '127.0.0.1', () => void (text !== '' && socket.write(text)));
      socket.on('data', (bytes) => (got += bytes.toString()));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(got));
    });
  const page = (registry: Registry): string => [...renderText(registry, 'prometheus')].join('');

  it.each([
    ['nothing', ''],
    ['half a head', 'GET /healthz HTTP/1.1\r\nhost: lo'],
    ['half a body', 'POST /api/v1/apply HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nkind'],
  ])('that bring %s end soon', async (_what, text) => {
    const registry = createRegistry();
    const bounded = createApi({
      controlPlane: plane,
      meter: registry,
      secret: SECRET,
      requestTimeoutMs: 50,
    });
    const port = Number(new URL(await bounded.listen({ port: 0 })).port);
    await talk(port, text);
    expect(page(registry)).toContain('tulle_api_requests_timed_out_total 1\n');
    await bounded.close();
  });

  it('end when no other request comes, and are few', async () => {
    const registry = createRegistry();
    const bounded = createApi({
      controlPlane: plane,
      meter: registry,
      secret: SECRET,
      keepAliveTimeoutMs: 200,
      maxConnections: 1,
    });
    const port = Number(new URL(await bounded.listen({ port: 0 })).port);
    const first = talk(port, 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n');
    expect(await talk(port, 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n')).toBe('');
    expect(await first).toMatch(/^HTTP\/1\.1 200 /);
    expect(page(registry)).toContain('tulle_api_connections_dropped_total 1\n');
    await bounded.close();
  });
});
