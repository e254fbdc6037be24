/** Pages of an admin interface. */
export interface AdminPages {
  /** By name, without ports; histograms as text. */
  readonly stats: ReadonlyMap<string, string>;
  /** JSON by path. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Content types and status by request. */
  readonly answers: Readonly<Record<string, string>>;
}

const JSON_PAGES = [
  '/listeners?format=json',
  '/clusters?format=json',
  '/server_info',
  '/certs',
  '/runtime',
  '/memory',
  '/config_dump',
  '/config_dump?resource=static_clusters',
  '/stats?format=json&filter=upstream_rq_2xx',
];
const OTHERS: readonly (readonly [method: string, path: string])[] = [
  ['GET', '/ready'],
  ['GET', '/clusters'],
  ['GET', '/listeners'],
  ['GET', '/stats'],
  ['GET', '/stats?filter=('],
  ['GET', '/config_dump?resource=nothing'],
  ['GET', '/nothing'],
  ['GET', '/quitquitquit'],
  ['GET', '/drain_listeners'],
  ['POST', '/healthcheck/fail'],
  ['POST', '/healthcheck/ok'],
  ['POST', '/reopen_logs'],
  ['POST', '/logging?level=error'],
];

/** What Envoy says of clusters and this proxy does not: rates of success are compared, and kept nowhere; retries of HIGH have a budget. */
const UNSAID = /::(?:(?:local_origin_)?success_rate::-1|high_priority::max_retries::3)$/;

/** `/clusters` as text, sorted. @param ports real ones, by those of the corpus */
export async function readClusters(ports: ReadonlyMap<number, number>): Promise<readonly string[]> {
  let text = await (await fetch(`http://127.0.0.1:${ports.get(9901)}/clusters`)).text();
  for (const [named, real] of ports) text = text.replaceAll(String(real), String(named));
  return text
    .split('\n')
    .filter((line) => line !== '' && !UNSAID.test(line))
    .toSorted();
}

/** Asks for everything. @param ports real ones, by those of the corpus */
export async function readAdmin(ports: ReadonlyMap<number, number>): Promise<AdminPages> {
  const base = `http://127.0.0.1:${ports.get(9901)}`;
  const plain = (text: string): string => {
    let same = text;
    for (const [named, real] of ports) same = same.replaceAll(String(real), String(named));
    return same;
  };
  const json: Record<string, unknown> = {};
  const answers: Record<string, string> = {};
  for (const path of JSON_PAGES) {
    const reply = await fetch(base + path);
    answers[path] = `${reply.status} ${reply.headers.get('content-type')}`;
    json[path] = JSON.parse(plain(await reply.text()));
  }
  for (const [method, path] of OTHERS) {
    const reply = await fetch(base + path, { method });
    answers[`${method} ${path}`] = `${reply.status} ${reply.headers.get('content-type')}`;
    await reply.arrayBuffer();
  }
  const stats = plain(await (await fetch(`${base}/stats`)).text());
  return {
    stats: new Map(
      stats.split('\n').flatMap((line) => {
        const [, name, value] = /^(\S+): (.*)$/.exec(line) ?? [];
        return name === undefined || value === undefined ? [] : [[name, value] as const];
      }),
    ),
    json,
    answers,
  };
}

/** Statistics that must agree to the number after the same requests. */
const SAME = [
  'cluster.service.upstream_rq_total',
  'cluster.service.upstream_rq_2xx',
  'cluster.service.upstream_rq_200',
  'cluster.service.upstream_rq_completed',
  'cluster.service.membership_total',
  'cluster.service.membership_healthy',
  'cluster.service.upstream_cx_total',
  'cluster.service.upstream_cx_destroy',
  'http.ingress_http.downstream_rq_total',
  'http.ingress_http.downstream_rq_2xx',
  'http.ingress_http.downstream_rq_completed',
  'http.ingress_http.downstream_cx_total',
  'listener.0.0.0.0_10000.downstream_cx_total',
  'listener_manager.total_listeners_active',
  'cluster_manager.active_clusters',
  'server.live',
  'server.concurrency',
];
/** Envoy makes statistics of classes of status when the first such answer comes. */
const LATER = /\.upstream_rq_[1-5]xx$/;

/** What of Tulle's pages Envoy would not say, or say otherwise. */
export function adminDifferences(envoy: AdminPages, tulle: AdminPages): string[] {
  const faults: string[] = [];
  for (const name of tulle.stats.keys())
    if (!envoy.stats.has(name) && !LATER.test(name)) faults.push(`Envoy has no statistic ${name}`);
  for (const name of SAME)
    if (tulle.stats.get(name) !== envoy.stats.get(name))
      faults.push(`${name} is ${tulle.stats.get(name)}, and of Envoy ${envoy.stats.get(name)}`);
  for (const [what, answer] of Object.entries(envoy.answers))
    if (tulle.answers[what] !== answer)
      faults.push(`${what}: ${tulle.answers[what]}, and of Envoy ${answer}`);
  for (const path of JSON_PAGES) {
    const shapes = shapeOf(envoy.json[path]);
    for (const shape of shapeOf(tulle.json[path]))
      if (!shapes.has(shape)) faults.push(`${path}: Envoy has nothing at ${shape}`);
  }
  return faults;
}

/** Paths at which something stands; lists count as one, names of members of maps of text as they are. */
function shapeOf(value: unknown, path = '', into: Set<string> = new Set()): Set<string> {
  if (Array.isArray(value)) for (const item of value) shapeOf(item, `${path}[]`, into);
  else if (typeof value === 'object' && value !== null)
    for (const [key, part] of Object.entries(value)) shapeOf(part, `${path}.${key}`, into);
  else into.add(path);
  return into;
}
