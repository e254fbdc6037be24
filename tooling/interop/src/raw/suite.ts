import { strict as assert } from 'node:assert';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { freePort, type Running, start } from '@tulle/processes';
import { seededRandom } from '@tulle/testkit';
import { createXdsServer, type ShownSet, type XdsServer } from '@tulle/xds-server';
import { namedCertificate } from '../certificate.ts';
import { envoyProgram, VERSION, wheel } from '../envoy/program.ts';
import { startOrigin } from '../mesh.ts';
import { program } from '../needs.ts';
import type { Case, Opened, Suite } from '../suite.ts';
import { until } from '../until.ts';
import { bootstrapCases } from './bootstrap-cases.ts';
import { rawBootstrap, type RawProtocol, singleSource } from './bootstrap.ts';
import { generations, type Generation, type ListenerCertificate, type Place } from './generations.ts';
import { createHandover } from './handover.ts';
import { type Answer, askUntil, faultOf, type Question, questionsOf } from './judge.ts';

/** Snapshots of one run. */
const COUNT = 200;
const SINGLE_COUNT = 40;
const LISTENERS = 3;
const ORIGINS = 4;
const CERTIFICATES = ['one', 'two', 'three'];
/** An Envoy that waits for something that never comes does so for 15 s; below it nothing may take. */
const WARM_MS = 10_000;

/** An xDS server, origins, and what an Envoy is started with. */
interface Setting {
  readonly server: XdsServer;
  readonly directory: string;
  readonly origins: readonly Place[];
  readonly certificates: readonly ListenerCertificate[];
  /** @param single each type over a service of its own */
  startEnvoy(node: string, protocol: RawProtocol, single?: boolean): Promise<Envoy>;
}

interface Envoy {
  admin(path: string): Promise<string>;
  stop(): Promise<void>;
}

async function open(): Promise<Opened<Setting>> {
  const directory = await mkdtemp(join(tmpdir(), 'tulle-envoy-raw-'));
  const server = await createXdsServer({ loadReportIntervalMs: 1_000 });
  const started = await Promise.all(
    Array.from({ length: ORIGINS }, async () =>
      startOrigin((request, response) => response.end(`127.0.0.1:${request.socket.localPort}`)),
    ),
  );
  const running: Running[] = [];
  return {
    context: {
      server,
      directory,
      origins: started.map(({ port }) => ({ host: '127.0.0.1', port })),
      certificates: await Promise.all(
        CERTIFICATES.map(async (name) => ({ name, ...(await namedCertificate(name)) })),
      ),
      async startEnvoy(node, protocol, single = false) {
        const file = join(directory, `${node}.json`);
        const admin = join(directory, `${node}.admin`);
        await writeFile(
          file,
          JSON.stringify(rawBootstrap({ target: server.target, node, protocol, single })),
        );
        const envoy = start(
          await envoyProgram(),
          [
            ...['-c', file, '--disable-hot-restart', '--concurrency', '1', '--admin-address-path', admin],
            // What a listener that is gone still serves ends soon.
            ...['--drain-time-s', '1', '--log-level', 'warning'],
          ],
          { cwd: directory },
        );
        running.push(envoy);
        return {
          admin: async (path) =>
            (
              await fetch(`http://${await readFile(admin, 'utf8')}${path}`, {
                signal: AbortSignal.timeout(5_000),
              })
            ).text(),
          stop: async () => void (await envoy.stop()),
        };
      },
    },
    async close() {
      for (const envoy of running) await envoy.stop();
      await server.close();
      for (const origin of started) origin.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** Asks over a connection of its own: one that is there keeps the listener of before until it is drained. */
function asker(listeners: readonly Place[]): (question: Question) => Promise<Answer> {
  const plain = new HttpAgent({ keepAlive: false });
  const tls = new HttpsAgent({ keepAlive: false, maxCachedSessions: 0, rejectUnauthorized: false });
  return async ({ listener, path }) =>
    new Promise((resolve, reject) => {
      const secure = listener === listeners.length - 1;
      const send = secure ? httpsRequest : httpRequest;
      const request = send(
        { ...listeners[listener], path, agent: secure ? tls : plain, timeout: 5_000 },
        (response) => {
          // Read while the socket is there.
          const certificate = secure
            ? (response.socket as TLSSocket).getPeerCertificate().subject.CN
            : undefined;
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (text: string) => (body += text));
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              listener,
              path,
              status: response.statusCode ?? 0,
              routes: String(response.headers['x-routes'] ?? ''),
              origin: body,
              ...(certificate === undefined ? {} : { certificate: String(certificate) }),
            }),
          );
        },
      );
      request.on('timeout', () => request.destroy(new Error('no answer within 5 s')));
      request.on('error', reject);
      request.end();
    });
}

interface Dump {
  readonly configs: readonly {
    readonly '@type': string;
    readonly dynamic_active_clusters?: readonly {
      readonly version_info: string;
      readonly cluster: { readonly name: string };
    }[];
    readonly dynamic_warming_clusters?: readonly object[];
    readonly dynamic_listeners?: readonly {
      readonly name: string;
      /** Its `version_info` stays that of before where filter chains alone were changed. */
      readonly active_state?: object;
      readonly warming_state?: object;
      readonly error_state?: object;
    }[];
    readonly dynamic_route_configs?: readonly {
      readonly version_info: string;
      readonly route_config: { readonly name: string };
    }[];
    readonly dynamic_active_secrets?: readonly { readonly version_info: string; readonly name: string }[];
  }[];
}

/**
 * Everything that an Envoy has, from its `/config_dump`, with the version where that is asked for; what it warms or refused is
 * named too.
 */
function heldBy(dump: Dump, versions = false): string[] {
  const at = (version: string | undefined): string => (versions ? `@${version}` : '');
  return dump.configs
    .flatMap((one) => [
      ...(one.dynamic_active_clusters ?? []).map(
        (each) => `cluster ${each.cluster.name}${at(each.version_info)}`,
      ),
      ...(one.dynamic_warming_clusters ?? []).map(() => 'a cluster that warms'),
      ...(one.dynamic_listeners ?? []).flatMap(({ name, active_state, warming_state, error_state }) => [
        ...(active_state ? [`listener ${name}`] : []),
        ...(warming_state ? [`${name} warms`] : []),
        ...(error_state ? [`${name} was refused`] : []),
      ]),
      ...(one.dynamic_route_configs ?? []).map(
        (each) => `route ${each.route_config.name}${at(each.version_info)}`,
      ),
      ...(one.dynamic_active_secrets ?? []).map((each) => `secret ${each.name}${at(each.version_info)}`),
    ])
    .toSorted();
}

/** The same of what a node is to have. */
function heldOf(set: ShownSet | undefined, versions = false): string[] {
  return (set?.resources ?? [])
    .flatMap(({ typeUrl, name, version }) => {
      const kind = /\.(Listener|RouteConfiguration|Cluster|Secret)$/.exec(typeUrl)?.[1];
      const word = kind === 'RouteConfiguration' ? 'route' : kind?.toLowerCase();
      return word === undefined
        ? []
        : [`${word} ${name}${versions && word !== 'listener' ? `@${version}` : ''}`];
    })
    .toSorted();
}

function judged(protocol: RawProtocol): Case<Setting> {
  return {
    name: `an Envoy that speaks ${protocol} takes ${COUNT} snapshots of chance, and answers by what was published alone while it does`,
    async run({ server, origins, certificates, startEnvoy }) {
      const listeners: Place[] = [];
      for (let i = 0; i < LISTENERS; i++) listeners.push({ host: '127.0.0.1', port: await freePort() });
      const node = `envoy-${protocol}`;
      const envoy = await startEnvoy(node, protocol);
      const ask = asker(listeners);
      const allowed: Generation[] = [];
      const handover = createHandover(() => performance.now());
      const stopNoting = server.subscribe((event) => {
        if (event.node === node) handover.note(event);
      });
      let asked = 0;
      let unavoidable = 0;
      let slowestMs = 0;
      for (const generation of generations({
        random: seededRandom(20_26),
        listeners,
        origins,
        certificates,
      })) {
        const { version, changes } = generation;
        const what = `${version}: ${changes.join(', ')}`;
        const [previous] = allowed;
        allowed.push(generation);
        handover.begin();
        const startedMs = performance.now();
        server.setSnapshot(node, generation.resources, { version });
        const taken = server.acked(node, { timeoutMs: WARM_MS });
        const during = await askUntil(
          taken,
          allowed,
          ask,
          (answer, beganMs) =>
            previous !== undefined && handover.leftBehind(answer, beganMs, previous, generation),
        );
        asked += during.asked;
        unavoidable += during.unavoidable;
        assertNone(what, during.faults);
        await taken.catch((cause: unknown) => {
          throw new Error(what, { cause });
        });
        assertNone(what, handover.faults());
        slowestMs = Math.max(slowestMs, performance.now() - startedMs);
        // It has answered; its worker takes the change over in a moment.
        await until(`${what}: only what is in it is answered`, async () => {
          for (const question of questionsOf([generation])) {
            const fault = faultOf(await ask(question), [generation]);
            assert.equal(fault, undefined);
            asked++;
          }
        });
        await until(`${what}: nothing else is in /config_dump`, async () => {
          // In the state of the world a version is that of the whole response.
          const versions = protocol === 'delta';
          assert.deepEqual(
            heldBy(JSON.parse(await envoy.admin('/config_dump')) as Dump, versions),
            heldOf(server.snapshot(node), versions),
          );
        });
        allowed.splice(0, allowed.length - 1);
        if (version === `g${COUNT}`) break;
      }
      const { state, streams, resources } = server.status(node);
      assert.equal(state, 'acked');
      const nacks = streams.flatMap(({ types }) => types).reduce((sum, type) => sum + type.nacks, 0);
      assert.equal(nacks, 0);
      assert(resources.every((one) => one.state === 'synced'));
      stopNoting();
      await envoy.stop();
      return (
        `${asked} answers, the slowest change took ${Math.round(slowestMs)} ms` +
        (unavoidable > 0 ? `, ${unavoidable} on connections of a listener of before, its cluster gone` : '')
      );
    },
  };
}

/** The faults themselves are what is to be read where a case fails: they are not seen a second time. */
function assertNone(what: string, faults: readonly string[]): void {
  assert(faults.length === 0, [`${what}:`, ...faults].join('\n  '));
}

/** Over streams of their own types come in any order: what is asked meanwhile may fail, the end may not. */
function converges(protocol: RawProtocol): Case<Setting> {
  return {
    name: `an Envoy that asks the service of each type, over ${protocol}, has the last of ${SINGLE_COUNT} snapshots of chance each time`,
    async run({ server, origins, certificates, startEnvoy }) {
      const listeners: Place[] = [];
      for (let i = 0; i < LISTENERS; i++) listeners.push({ host: '127.0.0.1', port: await freePort() });
      const node = `single-${protocol}`;
      const envoy = await startEnvoy(node, protocol, true);
      const ask = asker(listeners);
      const source = singleSource(protocol);
      for (const generation of generations({
        random: seededRandom(7),
        listeners,
        origins,
        certificates,
        source,
      })) {
        const { version, changes } = generation;
        const what = `${version}: ${changes.join(', ')}`;
        server.setSnapshot(node, generation.resources, { version });
        await until(
          `${what}: it is answered`,
          async () => {
            for (const question of questionsOf([generation]))
              assert.equal(faultOf(await ask(question), [generation]), undefined);
            assert.deepEqual(
              heldBy(JSON.parse(await envoy.admin('/config_dump')) as Dump),
              heldOf(server.snapshot(node)),
            );
          },
          WARM_MS,
        );
        if (version === `g${SINGLE_COUNT}`) break;
      }
      const { state, streams } = await server.acked(node);
      assert.equal(state, 'acked');
      await envoy.stop();
      return `over ${streams.length} streams at the end`;
    },
  };
}

const loads: Case<Setting> = {
  name: 'an Envoy reports its load over LRS, by cluster and endpoint',
  async run({ server, origins, startEnvoy }) {
    const node = 'reporting';
    const port = await freePort();
    const [generation] = generations({
      random: seededRandom(1),
      listeners: [{ host: '127.0.0.1', port }],
      origins,
    });
    assert(generation);
    server.setSnapshot(node, generation.resources);
    const envoy = await startEnvoy(node, 'delta');
    await server.acked(node, { timeoutMs: WARM_MS });
    const ask = asker([
      { host: '127.0.0.1', port },
      { host: '', port: 0 },
    ]);
    await until('an answer', async () => assert.equal((await ask({ listener: 0, path: '/' })).status, 200));
    const cluster = generation.answers.get(0)?.clusters.get('/');
    const found = await until('a report', () => {
      const load = server.loadReports(node)[0]?.clusters.find((one) => one.cluster === cluster);
      assert(load, 'no report of the cluster');
      assert(load.total.succeeded >= 1 && load.total.failed === 0, JSON.stringify(load));
      return `${load.total.succeeded} succeeded`;
    });
    await envoy.stop();
    return found;
  },
};

export const envoyRawSuite: Suite<Setting> = {
  name: 'envoy-raw',
  about: `Envoy ${VERSION} with resources as they are put`,
  needs: [program('python3', 'apt-get install python3-venv'), wheel],
  open,
  cases: [
    judged('delta'),
    judged('state-of-the-world'),
    converges('delta'),
    converges('state-of-the-world'),
    loads,
    ...bootstrapCases,
  ],
};
