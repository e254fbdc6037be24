import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Child } from '../child.ts';
import { EDGE_HOST, edgeClient, type EdgeClient } from '../edge-client.ts';
import { freePort } from '../free-port.ts';
import type { Report } from '../report.ts';
import { spiffeId, type Shop } from '../shop.ts';
import { tokenIssuer, unsignedToken } from '../token-issuer.ts';
import { until } from '../until.ts';

const ISSUER = 'https://login.example.com/';
/** Of the limit in changes/edge.yaml. */
const SEARCHES = 20;

/** Scene 6: what the world may do, and what it may not make anybody believe. */
export async function edge(shop: Shop, report: Report): Promise<void> {
  report.scene('6. Edge');
  const { tulle } = shop;
  const directory = await tulle.strangerDirectory('edge');
  const certificates = join(directory, 'certificates');
  const created = await tulle.must(
    ...['certificate', 'create', 'shop', '--host', EDGE_HOST, '--certificates', certificates],
  );
  const issuer = tokenIssuer(ISSUER);
  const [port, echoPort] = [await freePort(), await freePort()];
  const logFile = join(directory, 'access.log');
  const children: Child[] = [];
  try {
    await shop.apply('edge.yaml');
    const policy = join(directory, 'account-login.json');
    await writeFile(policy, JSON.stringify(loginPolicy(issuer.jwks)));
    await tulle.must('apply', '--wait', '60', '-f', policy);
    const echo = shop.start('echo', [
      ...['run', '--name', 'echo', '--port', String(echoPort), '--'],
      ...[process.execPath, 'jobs/echo.mjs', String(echoPort)],
    ]);
    children.push(echo);
    const gateway = shop.start('gateway', [
      ...['gateway', '--name', 'edge', '--listen', `443=${port}`, '--certificates', certificates],
      ...['--access-log', logFile],
    ]);
    children.push(gateway);
    await echo.said(/it takes calls from now on/);
    await gateway.said(/Gateway default\/edge listens on/);
    const client = edgeClient(port, await readFile(created.out.trim(), 'utf8'));
    try {
      await until('that the gateway reaches echo and front', async () =>
        (await client.ask('/echo')).status === 200 && (await client.ask('/')).status === 200
          ? true
          : undefined,
      );
      await front(shop, client, report);
      await tokens(client, issuer, report);
      await pages(client, issuer.token({ sub: 'ann', aud: 'shop' }), report);
      await limit(client, logFile, report);
      await explained(shop, client, report);
      await claims(client, report);
    } finally {
      client.close();
    }
  } finally {
    for (const child of children.toReversed()) await child.stop();
    await shop.remove('edge.yaml');
    await tulle.run(['delete', 'filterpolicy', 'account-login']);
  }
}

const loginPolicy = (jwks: object): object => ({
  apiVersion: 'tulle.dev/v1alpha1',
  kind: 'FilterPolicy',
  metadata: { name: 'account-login' },
  spec: {
    targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: 'api' }],
    phase: 'authn',
    filter: 'tulle.http.jwt',
    config: {
      providers: [
        {
          name: 'login',
          issuer: ISSUER,
          audiences: ['shop'],
          jwks,
          claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
        },
      ],
    },
  },
});

/** What reached the program behind the gateway. */
interface Echo {
  readonly count: number;
  readonly headers: Readonly<Record<string, string>>;
}
const echoOf = (body: string): Echo => JSON.parse(body) as Echo;
/** Requests that have reached it, not counting those that ask this. */
async function reached(client: EdgeClient): Promise<() => Promise<number>> {
  const before = echoOf((await client.ask('/echo')).body).count;
  return async () => echoOf((await client.ask('/echo')).body).count - before - 1;
}

async function front(shop: Shop, client: EdgeClient, report: Report): Promise<void> {
  const labels = { direction: 'inbound', source_workload: 'edge', response_code: '200' };
  const counted = async (): Promise<number> => shop.front.admin.sum('tulle_requests_total', labels);
  const before = await counted();
  let pagesGot = 0;
  for (let i = 0; i < 50; i++) {
    const { status, body } = await client.ask('/');
    if (status === 200 && body.includes('Tulle, silk')) pagesGot++;
  }
  const seen = (await counted()) - before;
  report.claim(
    'the world reads the shop over TLS, and the gateway calls front over mutual TLS',
    pagesGot === 50 && seen === 50,
    `${pagesGot} of 50 pages; front counted ${seen} from the identity of the gateway`,
  );
}

async function tokens(
  client: EdgeClient,
  issuer: ReturnType<typeof tokenIssuer>,
  report: Report,
): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  const ann = { sub: 'ann', aud: 'shop' };
  const bad: Readonly<Record<string, string | undefined>> = {
    none: undefined,
    unsigned: unsignedToken({ iss: ISSUER, exp: now + 600, ...ann }),
    "another's key": tokenIssuer(ISSUER).token(ann),
    lapsed: issuer.token({ ...ann, exp: now - 3600 }),
    'for another service': issuer.token({ ...ann, aud: 'bank' }),
  };
  const sinceBefore = await reached(client);
  const answers: string[] = [];
  for (const [what, token] of Object.entries(bad)) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    answers.push(`${what} ${(await client.ask('/account', { headers })).status}`);
  }
  const through = await sinceBefore();
  const good = await client.ask('/account', {
    headers: { authorization: `Bearer ${issuer.token(ann)}`, 'x-user': 'root' },
  });
  const user = good.status === 200 ? echoOf(good.body).headers['x-user'] : undefined;
  report.claim(
    'without a good token nobody gets through; with one the service is told who it is',
    answers.every((answer) => answer.endsWith(' 401')) && through === 0 && user === 'ann',
    `${answers.join(', ')}, ${through} reached the service; a good one ${good.status} as ${String(user)}`,
  );
}

async function pages(client: EdgeClient, token: string, report: Report): Promise<void> {
  const sinceBefore = await reached(client);
  const allowed = async (origin: string): Promise<string> => {
    const { headers } = await client.ask('/account', {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'authorization',
      },
    });
    return headers['access-control-allow-origin'] ?? 'nobody';
  };
  const ours = await allowed(`https://${EDGE_HOST}`);
  const others = await Promise.all(
    ['https://evil.example', `https://${EDGE_HOST}.evil.example`, 'null', `http://${EDGE_HOST}`].map(allowed),
  );
  const through = await sinceBefore();
  const read = await client.ask('/account', {
    headers: { origin: 'https://evil.example', authorization: `Bearer ${token}` },
  });
  const told = read.headers['access-control-allow-origin'] ?? 'nobody';
  report.claim(
    "a browser is told that the shop's pages may call, and no others",
    ours === `https://${EDGE_HOST}` &&
      others.every((one) => one === 'nobody') &&
      told === 'nobody' &&
      through === 0,
    `allowed ${ours}; ${others.filter((one) => one === 'nobody').length} of ${others.length} other origins got nothing; ${through} preflights reached the service`,
  );
}

async function limit(client: EdgeClient, logFile: string, report: Report): Promise<void> {
  const sinceBefore = await reached(client);
  const total = SEARCHES * 3;
  const statuses = await Promise.all(
    Array.from({ length: total }, async (_, i) => {
      // Each says it comes from another address.
      const headers = { 'x-forwarded-for': `192.0.2.${i}`, 'x-request-id': `search-${i}` };
      return (await client.ask('/search', { headers })).status;
    }),
  );
  const count = (status: number): number => statuses.filter((one) => one === status).length;
  const through = await sinceBefore();
  report.claim(
    'one address gets what the limit gives it, whatever it says of itself',
    count(200) === SEARCHES && count(429) === total - SEARCHES && through === SEARCHES,
    `${count(200)} of ${total} let through, ${count(429)} got 429; ${through} reached the service`,
  );
  const refused = `search-${statuses.indexOf(429)}`;
  const line = await until('that the access log has the refused request', async () =>
    (await readFile(logFile, 'utf8'))
      .split('\n')
      .find((one) => one.includes(`"${refused}"`) && one.endsWith('}')),
  );
  const { code } = JSON.parse(line) as { readonly code: string | null };
  report.claim(
    'a refused request is found by its id, with the reason',
    code === 'TULLE_RATE_LIMITED',
    `${refused}: ${String(code)}`,
  );
}

/** What `tulle explain -o json` says. */
interface Explained {
  readonly explanations: readonly {
    readonly proxy: string;
    readonly explanation: {
      readonly status: number;
      readonly code: string;
      readonly reasons: readonly {
        readonly site: string;
        readonly subject: string;
        readonly outcome: string;
      }[];
    };
  }[];
}

async function explained({ tulle }: Shop, client: EdgeClient, report: Report): Promise<void> {
  const id = 'refused-without-token';
  const { status } = await client.ask('/account', { headers: { 'x-request-id': id } });
  const { out } = await tulle.must('explain', id, '-o', 'json');
  const [first, ...more] = (JSON.parse(out) as Explained).explanations;
  const stop = first?.explanation.reasons.find(({ outcome }) => outcome === 'stop');
  report.claim(
    'tulle explain of a refused request names the rule, and that nobody else saw it',
    status === 401 &&
      first?.explanation.status === 401 &&
      (stop?.subject.includes('account-login') ?? false) &&
      more.length === 0,
    `${status}: ${String(stop?.site)} ${String(stop?.subject)} said stop, ${String(first?.explanation.code)}`,
  );
}

async function claims(client: EdgeClient, report: Report): Promise<void> {
  const planted: Readonly<Record<string, string>> = {
    forwarded: 'for=192.0.2.66;proto=http',
    'x-forwarded-for': '192.0.2.66',
    x_forwarded_for: '192.0.2.66',
    'x-forwarded-proto': 'gopher-192.0.2.66',
    'x-forwarded-host': '192.0.2.66',
    'x-forwarded-client-cert': `URI=${spiffeId('admin')};By=192.0.2.66`,
    'x-real-ip': '192.0.2.66',
    'true-client-ip': '192.0.2.66',
    'x-client-ip': '192.0.2.66',
    'x-original-url': '/admin?192.0.2.66',
    'x-rewrite-url': '/admin?192.0.2.66',
    'x-envoy-external-address': '192.0.2.66',
    'x-tulle-unsent': '192.0.2.66',
  };
  const { headers } = echoOf((await client.ask('/echo', { headers: planted })).body);
  const through = Object.entries(headers).filter(([, value]) => /192\.0\.2\.66|sa\/admin/.test(value));
  const [caller] = (headers['x-forwarded-for'] ?? '').split(', ');
  const certificate = headers['x-forwarded-client-cert'];
  report.claim(
    'what the world claims of itself is believed by nobody',
    through.length === 0 && caller === '127.0.0.1' && certificate === `URI=${spiffeId('edge')}`,
    `${through.length} of ${Object.keys(planted).length} planted claims got through; the service is told ${String(caller)}, ${String(headers['x-forwarded-proto'])}, ${String(certificate)}`,
  );
}
