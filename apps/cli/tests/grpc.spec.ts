import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  credentials,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  status,
  type Client,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { tulleBench } from './tulle-bench.ts';

/** Text in, text out: what the mesh makes of a call does not depend on what it carries. */
const text = {
  requestStream: false,
  responseStream: false,
  requestSerialize: (value: string) => Buffer.from(value),
  requestDeserialize: (bytes: Buffer) => bytes.toString(),
  responseSerialize: (value: string) => Buffer.from(value),
  responseDeserialize: (bytes: Buffer) => bytes.toString(),
};
const ORDERS = {
  Place: { path: '/shop.v1.Orders/Place', ...text },
  Slow: { path: '/shop.v1.Orders/Slow', ...text },
  Cancel: { path: '/shop.v1.Orders/Cancel', ...text },
} satisfies ServiceDefinition;
const Orders = makeGenericClientConstructor(ORDERS, 'Orders');

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** @returns its port */
async function orders(version: string): Promise<number> {
  const server = new Server();
  server.addService(ORDERS, {
    Place: (call: { request: string }, reply: (error: null, answer: string) => void) =>
      reply(null, `${version} ${call.request}`),
    Slow: () => {}, // never
    Cancel: (_call: unknown, reply: (error: Partial<ServiceError>) => void) =>
      reply({ code: status.FAILED_PRECONDITION, details: 'it is on its way' }),
  });
  open.push(() => server.forceShutdown());
  return new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  );
}

type Call = (method: keyof typeof ORDERS, deadlineMs?: number) => Promise<string>;

/** Calls; what fails is told as its status. */
function callerAt(port: string): Call {
  const client: Client = new Orders(`127.0.0.1:${port}`, credentials.createInsecure());
  open.push(() => client.close());
  return async (method, deadlineMs = 10_000) =>
    new Promise((resolve) =>
      client.makeUnaryRequest(
        ORDERS[method].path,
        text.requestSerialize,
        text.responseDeserialize,
        'shirt',
        { deadline: Date.now() + deadlineMs },
        (error, answer) => resolve(error === null ? (answer ?? '') : (status[error.code] ?? '')),
      ),
    );
}

const SERVICES = ['v1', 'v2']
  .map(
    (version) =>
      `apiVersion: v1\nkind: Service\nmetadata: { name: orders-${version} }\nspec: { selector: { version: ${version} }, ports: [{ name: grpc, port: 80 }] }\n---\n`,
  )
  .join('');
const routeOf = (rules: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: { name: orders }\nspec:\n  parentRefs: [{ kind: Service, group: '', name: orders-v1 }]\n  rules: ${rules}\n---\n`;

describe('gRPC in a mesh of `tulle run`', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  it('is split by weights, refused in its own words, and explained', async () => {
    for (const version of ['v1', 'v2']) {
      const port = await orders(version);
      const sidecar = start(
        ...['run', '--name', 'orders', '--label', `version=${version}`, '--port', String(port)],
        ...['--attach', '--', 'sleep', '1000'],
      );
      await sidecar.said(/joined/);
    }
    const apply = async (...yaml: string[]): Promise<void> => {
      await writeFile(join(bench.dir, 'grpc.yaml'), yaml.join(''));
      expect(await tulle('apply', '-f', 'grpc.yaml')).toMatchObject({ code: 0 });
    };
    await apply(
      SERVICES,
      routeOf(
        `[{ name: split, matches: [{ method: { service: shop.v1.Orders, method: Place } }, { method: { method: Slow } }], backendRefs: [{ name: orders-v1, port: 80, weight: 50 }, { name: orders-v2, port: 80, weight: 50 }] }]`,
      ),
    );
    const web = start('run', '--name', 'web', '-u', 'orders-v1=0', '--', 'sleep', '1000');
    const [, local = ''] = await web.said(/orders-v1 → 127\.0\.0\.1:(\d+)/);
    const call = callerAt(local);
    await expect.poll(async () => call('Place'), { timeout: 10_000 }).toBe('v1 shirt');

    // All over one connection of the caller: each call is drawn for itself.
    const answers = await Promise.all(Array.from({ length: 400 }, async () => call('Place')));
    const share = answers.filter((answer) => answer === 'v2 shirt').length;
    expect(answers.every((answer) => /^v[12] shirt$/.test(answer))).toBe(true);
    expect(Math.abs(share - 200)).toBeLessThan(5 * Math.sqrt(100)); // 5 σ

    expect(await call('Cancel')).toBe('UNIMPLEMENTED'); // no rule takes it
    expect(await call('Slow', 300)).toBe('DEADLINE_EXCEEDED');
    const why = await tulle('explain', 'grpc', 'http://orders-v1/shop.v1.Orders/Place', '--from', 'web');
    expect(why.out).toContain('default/orders/split/match-0');

    await apply(
      `apiVersion: tulle.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: none }\nspec: { action: DENY, rules: [{ to: { paths: [/shop.v1.Orders/Place] } }] }\n`,
    );
    await expect.poll(async () => call('Place'), { timeout: 10_000 }).toBe('PERMISSION_DENIED');
    await apply(routeOf('[{ backendRefs: [{ name: orders-v2, port: 80 }] }]'));
    // What a service itself answers comes through.
    await expect.poll(async () => call('Cancel'), { timeout: 10_000 }).toBe('FAILED_PRECONDITION');
  }, 60_000);
});
