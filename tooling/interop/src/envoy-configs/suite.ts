import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENVOY_FLAGS } from '@tulle/envoy-proxy';
import {
  configNames,
  type Expectation,
  expectations,
  WAITING,
  writeCertificates,
} from '@tulle/envoy-proxy/corpus';
import { runToEnd } from '@tulle/processes';
import { envoyProgram, VERSION, wheel } from '../envoy/program.ts';
import { program } from '../needs.ts';
import type { Case, Suite } from '../suite.ts';
import { until } from '../until.ts';
import { spreadEnds } from './ages.ts';
import { type AdminPages, adminDifferences, readAdmin, readClusters } from './admin.ts';
import { ask, differences } from './ask.ts';
import { type Corpus, place, sameOf, withEnvoy, withTulle } from './both.ts';
import { forgetEvents, readEvents } from './events.ts';
import { INTERNAL, namesOf, sameNames } from './internal.ts';
import {
  forgetLogs,
  logDifferences,
  type Logs,
  readAnswers,
  readConnections,
  readInternal,
  readLogs,
} from './logs.ts';
import { collectedBy } from './collected.ts';
import { forgetMoments, momentsOf, momentsOfRequest } from './log-moments.ts';
import { startServices } from './services.ts';

/** Status of what is closed without an answer. */
const CLOSED = 0;

export const envoyConfigsSuite: Suite<Corpus> = {
  name: 'envoy-configs',
  about: `Configurations of Envoy ${VERSION}, taken and served by it and by Tulle alike`,
  needs: [program('python3', 'apt-get install python3-venv'), wheel],
  async open() {
    const directory = mkdtempSync(join(tmpdir(), 'tec-'));
    await writeCertificates(directory);
    const services = await startServices(directory);
    return {
      context: { directory, envoy: await envoyProgram(), services },
      async close() {
        await services.close();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
  cases: [
    ...configNames.map((name): Case<Corpus> => ({ name, run: async (corpus) => compare(corpus, name) })),
    {
      name: 'every flag of its program is known, be it done, taken or refused with a reason',
      run: compareFlags,
    },
    { name: 'the admin interface has the same pages, in the same shapes', run: compareAdmin },
    { name: 'routes and kinds of requests are counted alike', run: compareCounts },
    { name: 'clusters and listeners are called alike where they have names for that', run: compareNames },
    { name: 'endpoints are counted alike', run: compareEndpoints },
    { name: 'scoped routes are dumped alike', run: compareScopes },
    { name: 'health checks fail by hand alike', run: compareFailing },
    {
      name: 'TCP connections that go on are logged alike',
      run: async (corpus) => compareMoments(corpus, 'tcp-log-moments', momentsOf),
    },
    {
      name: 'requests that go on are logged alike',
      run: async (corpus) => compareMoments(corpus, 'http-log-moments', momentsOfRequest),
    },
    { name: 'connections of one age end apart alike', run: compareAges },
    { name: 'several health checks of a cluster are counted alike', run: compareChecks },
    { name: 'ejections and turns of health are logged alike', run: compareEvents },
    {
      name: 'access logs say the same, operator by operator',
      // One of two tokens has a subject that its other log asks for.
      run: async (corpus) =>
        compareLogs(corpus, 'access-log-operators', async (directory, ports, lines) =>
          readLogs(directory, ports, lines, 1),
        ),
    },
    { name: 'a collector of logs is told the same over HTTP', run: compareCollected },
    {
      name: 'expressions say the same, one by one',
      // One from the team `web`, and three that are refused.
      run: async (corpus) =>
        compareLogs(corpus, 'cel', async (directory, ports, lines) => readLogs(directory, ports, lines, 4)),
    },
    {
      name: 'access logs of listeners say the same of connections',
      run: async (corpus) => compareLogs(corpus, 'listener-logs', readConnections),
    },
    {
      name: 'access logs say the same on both sides of internal listeners',
      run: async (corpus) => compareLogs(corpus, 'internal-listeners', readInternal),
    },
    {
      name: 'access logs say the same of answers to requests for tunnels',
      run: async (corpus) => compareLogs(corpus, 'tunnel-answers', readAnswers),
    },
    {
      name: 'internal listeners and their endpoints have the same names on all pages',
      run: async (corpus) =>
        sameNames(await withEnvoy(corpus, INTERNAL, namesOf), await withTulle(corpus, INTERNAL, namesOf)),
    },
  ],
};

async function compare(corpus: Corpus, name: string): Promise<string> {
  const { file } = await place(corpus, name, 'validate');
  const taken = await runToEnd(corpus.envoy, ['--mode', 'validate', '-c', file, '-l', 'error'], {
    timeoutMs: 30_000,
  });
  if (!taken.includes('OK')) throw new Error(`Envoy does not take it: ${taken}`);
  const wanted = expectations()[name] ?? [];
  const byEnvoy = await faultsOfEnvoy(corpus, name, wanted);
  const waits = Object.hasOwn(WAITING, name);
  const byTulle = waits ? [] : await faultsOfTulle(corpus, name, wanted);
  const faults = [...byEnvoy.map((fault) => `Envoy: ${fault}`), ...byTulle.map((fault) => `Tulle: ${fault}`)];
  if (faults.length > 0) throw new Error(faults.join('\n'));
  const asked = `${wanted.length} request${wanted.length === 1 ? '' : 's'}`;
  return waits ? `${asked} to Envoy; Tulle refuses ${WAITING[name]}` : `${asked} to each`;
}

async function faultsOfEnvoy(
  corpus: Corpus,
  name: string,
  wanted: readonly Expectation[],
): Promise<string[]> {
  return withEnvoy(corpus, name, async (ports) => faultsOf(corpus, ports, wanted, ({ status }) => status));
}

async function faultsOfTulle(
  corpus: Corpus,
  name: string,
  wanted: readonly Expectation[],
): Promise<string[]> {
  return withTulle(corpus, name, async (ports) =>
    faultsOf(corpus, ports, wanted, ({ tulle, status }) => tulle?.status ?? status),
  );
}

/** Same configuration, same requests: what the pages of both say. */
async function compareAdmin(corpus: Corpus): Promise<string> {
  const name = 'outlier-detection';
  const requests: readonly Expectation[] = ['/a', '/b', '/c', '/d'].map((path) => ({ path, status: 200 }));
  const look = async (ports: ReadonlyMap<number, number>): Promise<AdminPages> => {
    const faults = await faultsOf(corpus, ports, requests, ({ status }) => status);
    if (faults.length > 0) throw new Error(faults.join('\n'));
    return readAdmin(ports);
  };
  const envoy = await withEnvoy(corpus, name, look);
  const tulle = await withTulle(corpus, name, look);
  const faults = adminDifferences(envoy, tulle);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return `${tulle.stats.size} statistics, each one of Envoy's`;
}

/** The end of flags, and help, are those of every program. */
const NOT_COMPARED: ReadonlySet<string> = new Set(['help', 'ignore_rest']);

/** What `--help` has, by name. */
async function compareFlags({ envoy }: Corpus): Promise<string> {
  const help = await runToEnd(envoy, ['--help'], { timeoutMs: 30_000 });
  const names = [...help.matchAll(/^ {3}(?:-\w <\w+>, {2}|-h, {2}|--, {2})?--([a-z_-]+)/gm)].map(
    ([, name = '']) => name,
  );
  const known = new Map<string, unknown>(Object.entries(ENVOY_FLAGS));
  const missing = names.filter((name) => !known.has(name) && !NOT_COMPARED.has(name));
  if (names.length < 35) throw new Error(`its help was not understood: ${names.join(', ')}`);
  if (missing.length > 0) throw new Error(`not known: ${missing.join(', ')}`);
  return `${names.length} flags`;
}

/** What of virtual hosts was counted; of times that there are some. */
async function compareCounts(corpus: Corpus): Promise<string> {
  const name = 'virtual-clusters';
  const look = async (ports: ReadonlyMap<number, number>): Promise<string> => {
    const faults = await faultsOf(corpus, ports, expectations()[name] ?? [], ({ status }) => status);
    if (faults.length > 0) throw new Error(faults.join('\n'));
    const page = await fetch(`http://127.0.0.1:${ports.get(9901)}/stats?usedonly&filter=^vhost`);
    const counted = (await page.text()).split('\n').filter((line) => !/: 0$|_time: |backoff/.test(line));
    return counted.toSorted().join('\n');
  };
  const tulle = await sameOf(corpus, name, look);
  return `${tulle.split('\n').length} statistics`;
}

/** By `alt_stat_name` and `stat_prefix`, as istiod gives them. */
async function compareNames(corpus: Corpus): Promise<string> {
  const name = 'istio-sidecar';
  const look = async (ports: ReadonlyMap<number, number>): Promise<string> => {
    const faults = await faultsOf(corpus, ports, expectations()[name] ?? [], ({ status }) => status);
    if (faults.length > 0) throw new Error(faults.join('\n'));
    const admin = `http://127.0.0.1:${ports.get(9901)}`;
    const filter = encodeURIComponent(
      '^(cluster\\..*;\\.upstream_rq_200|listener\\.probes\\.downstream_cx_total)$',
    );
    const stats = await (await fetch(`${admin}/stats?usedonly&filter=${filter}`)).text();
    const clusters = await (await fetch(`${admin}/clusters`)).text();
    const observed = clusters.split('\n').filter((line) => line.includes('::observability_name::'));
    return [...stats.split('\n').filter((line) => line !== ''), ...observed].toSorted().join('\n');
  };
  const tulle = await sameOf(corpus, name, look);
  return `${tulle.split('\n').length} names`;
}

/** Of connections that fail, attempts that are repeated, requests without an answer, and bytes. */
async function compareEndpoints(corpus: Corpus): Promise<string> {
  let lines = 0;
  for (const name of ['retry-priority', 'timeouts', 'listener-logs', 'connect-attempts']) {
    const requests = expectations()[name] ?? [];
    const look = async (ports: ReadonlyMap<number, number>): Promise<readonly string[]> => {
      const faults = await faultsOf(corpus, ports, requests, ({ status }) => status);
      if (faults.length > 0) throw new Error(faults.join('\n'));
      return readClusters(ports);
    };
    const envoy = await withEnvoy(corpus, name, look);
    const tulle = await withTulle(corpus, name, look);
    const faults = [
      ...envoy.filter((line) => !tulle.includes(line)).map((line) => `Envoy: ${line}`),
      ...tulle.filter((line) => !envoy.includes(line)).map((line) => `Tulle: ${line}`),
    ];
    if (faults.length > 0) throw new Error(`${name}:\n${faults.join('\n')}`);
    lines += tulle.length;
  }
  return `${lines} lines of /clusters`;
}

/** Scopes that a listener has, and which parts a dump has. */
async function compareScopes(corpus: Corpus): Promise<string> {
  const look = async (ports: ReadonlyMap<number, number>): Promise<string> => {
    const dump = `http://127.0.0.1:${ports.get(9901)}/config_dump`;
    const scopes = await (await fetch(`${dump}?resource=inline_scoped_route_configs`)).text();
    const { configs } = (await (await fetch(dump)).json()) as { configs: { '@type': string }[] };
    const said = JSON.parse(scopes, (key, value: unknown) =>
      key === 'last_updated' ? undefined : value,
    ) as object;
    return JSON.stringify([said, configs.map((part) => part['@type'])]);
  };
  const name = 'scoped-routes';
  const tulle = await sameOf(corpus, name, look);
  return `${tulle.length} characters`;
}

/** What callers see while health checks fail by hand, and before and after. */
async function compareFailing(corpus: Corpus): Promise<string> {
  const look = async (ports: ReadonlyMap<number, number>): Promise<string> => {
    const seen: unknown[] = [];
    for (const what of ['ok', 'fail', 'ok']) {
      const admin = `http://127.0.0.1:${ports.get(9901)}`;
      const told = await fetch(`${admin}/healthcheck/${what}`, { method: 'POST' });
      seen.push(what, told.status, await told.text(), await (await fetch(`${admin}/ready`)).text());
      for (const path of ['/healthz', '/']) {
        const { status, headers } = await ask(
          ports.get(10_000) ?? 0,
          { path, status: 200 },
          corpus.directory,
        );
        const closes = headers.connection === 'close';
        seen.push(path, status, headers['x-envoy-immediate-health-check-fail'] ?? null, closes);
      }
    }
    return JSON.stringify(seen);
  };
  const [envoy, tulle] = [
    await withEnvoy(corpus, 'health-check', look),
    await withTulle(corpus, 'health-check', look),
  ];
  if (envoy !== tulle) throw new Error(`Envoy: ${envoy}\nTulle: ${tulle}`);
  return 'statuses, fields and readiness of both';
}

/** What is logged of a connection or request from its beginning to its end. */
async function compareMoments(corpus: Corpus, name: string, moments: typeof momentsOf): Promise<string> {
  const look = async (ports: ReadonlyMap<number, number>): Promise<string> =>
    (await moments(corpus.directory, ports.get(10_000) ?? 0)).join(', ');
  forgetMoments(corpus.directory);
  const envoy = await withEnvoy(corpus, name, look);
  forgetMoments(corpus.directory);
  const tulle = await withTulle(corpus, name, look);
  if (envoy !== tulle) throw new Error(`Envoy: ${envoy}\nTulle: ${tulle}`);
  return tulle;
}

/** By how old they may become, and by chance. */
async function compareAges(corpus: Corpus): Promise<string> {
  const look = async (ports: ReadonlyMap<number, number>): Promise<string> => {
    const http = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';
    const of = await Promise.all([
      spreadEnds(ports.get(10_000) ?? 0, http),
      spreadEnds(ports.get(10_001) ?? 0, ''),
    ]);
    return of.join('; ');
  };
  return sameOf(corpus, 'connection-jitter', look);
}

/** Same configuration, same requests: what the collector gets of both, and what is counted of it. */
async function compareCollected(corpus: Corpus): Promise<string> {
  const name = 'otlp-logs';
  const requests = expectations()[name] ?? [];
  const look = async (ports: ReadonlyMap<number, number>): Promise<string> => {
    const faults = await faultsOf(corpus, ports, requests, ({ status }) => status);
    if (faults.length > 0) throw new Error(faults.join('\n'));
    const told = await collectedBy(corpus.services, ports, requests.length);
    return until('they are counted', async () => {
      const page = await fetch(`http://127.0.0.1:${ports.get(9901)}/stats?filter=^access_logs`);
      const counted = await page.text();
      if (!counted.includes(`logs_written: ${requests.length}`)) throw new Error(counted);
      return `${told}\n${counted.split('\n').toSorted().join('\n')}`;
    });
  };
  await sameOf(corpus, name, look);
  return `${requests.length} records`;
}

/** Of each check by its name, and of all of them together. */
async function compareChecks(corpus: Corpus): Promise<string> {
  const look = async (ports: ReadonlyMap<number, number>): Promise<string> => {
    const stats = `http://127.0.0.1:${ports.get(9901)}/stats`;
    const text = await (await fetch(`${stats}?filter=health_check`)).text();
    const prometheus = await (await fetch(`${stats}/prometheus?filter=health_check`)).text();
    return [...text.split('\n'), ...prometheus.split('\n')]
      .filter((line) => /\.(?:attempt|success|failure|healthy): |_(?:attempt|healthy){/.test(line))
      .toSorted()
      .join('\n');
  };
  const name = 'several-health-checks';
  const [envoy, tulle] = [await withEnvoy(corpus, name, look), await withTulle(corpus, name, look)];
  if (envoy !== tulle) throw new Error(`Envoy:\n${envoy}\nTulle:\n${tulle}`);
  return `${tulle.split('\n').length} statistics`;
}

/** What is told of endpoints that are ejected, come back, and pass and fail their checks. */
async function compareEvents(corpus: Corpus): Promise<string> {
  const look = async (ports: ReadonlyMap<number, number>): Promise<string> => {
    // Of two endpoints one fails: it is ejected by the third time that it is asked.
    for (let request = 0; request < 12; request++)
      await ask(ports.get(10_000) ?? 0, { path: '/ejecting', status: 200 }, corpus.directory);
    return (await readEvents(corpus.directory, ports)).join('\n');
  };
  const looked: string[] = [];
  for (const run of [withEnvoy, withTulle]) {
    forgetEvents(corpus.directory);
    corpus.services.reset();
    looked.push(await run(corpus, 'event-logs', look));
  }
  const [envoy = '', tulle = ''] = looked;
  if (envoy !== tulle) throw new Error(`Envoy:\n${envoy}\nTulle:\n${tulle}`);
  return `${tulle.split('\n').length} lines`;
}

/** Same configuration, same requests: what the logs of both say. */
async function compareLogs(corpus: Corpus, name: string, read: typeof readConnections): Promise<string> {
  const requests = expectations()[name] ?? [];
  const look = async (ports: ReadonlyMap<number, number>): Promise<Logs> => {
    const faults = await faultsOf(corpus, ports, requests, ({ status }) => status);
    if (faults.length > 0) throw new Error(faults.join('\n'));
    return read(corpus.directory, ports, requests.length);
  };
  forgetLogs(corpus.directory);
  const envoy = await withEnvoy(corpus, name, look);
  forgetLogs(corpus.directory);
  const tulle = await withTulle(corpus, name, look);
  const faults = logDifferences(envoy, tulle);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return `${Object.keys(tulle.operators[0] ?? {}).length} operators of ${tulle.operators.length} lines`;
}

async function faultsOf(
  { directory, services }: Corpus,
  ports: ReadonlyMap<number, number>,
  wanted: readonly Expectation[],
  statusOf: (one: Expectation) => number,
): Promise<string[]> {
  services.reset();
  const faults: string[] = [];
  for (const [index, given] of wanted.entries()) {
    const one = withPorts(given, ports);
    const port = one.tls === undefined ? (one.listener === 'outbound' ? 10001 : 10000) : 10443;
    try {
      const answered = await ask(ports.get(port) ?? 0, one, directory);
      faults.push(...differences(one, statusOf(one), answered).map((fault) => `request ${index}: ${fault}`));
    } catch (error) {
      // Closed before an answer, which some are to be.
      if (statusOf(one) !== CLOSED) faults.push(`request ${index}: ${String(error)}`);
    }
  }
  return faults;
}

/** Whoever names a service by its address names the real port. */
function withPorts(one: Expectation, ports: ReadonlyMap<number, number>): Expectation {
  const real = (text: string): string =>
    text.replaceAll(
      /(?<=localhost:|127\.0\.0\.1:)\d+/g,
      (port) => `${ports.get(Number(port)) ?? Number(port)}`,
    );
  const all = <T extends string | null>(texts: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(
      Object.entries(texts).map(([key, text]) => [key, typeof text === 'string' ? (real(text) as T) : text]),
    );
  return {
    ...one,
    ...(one.host !== undefined && { host: real(one.host) }),
    ...(one.has !== undefined && { has: real(one.has) }),
    ...(one.send !== undefined && { send: all(one.send) }),
    ...(one.token !== undefined && { token: all(one.token) }),
    ...(one.headers !== undefined && { headers: all(one.headers) }),
  };
}
