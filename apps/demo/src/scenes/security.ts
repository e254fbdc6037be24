import { once } from 'node:events';
import http from 'node:http';
import tls from 'node:tls';
import { createCa, localIdentity, memoryStore } from '@tulle/ca';
import { freePort } from '../free-port.ts';
import { load } from '../load.ts';
import { ask } from '../programs.ts';
import type { Report } from '../report.ts';
import { secret, spiffeId, trustDomain, type Shop } from '../shop.ts';
import { until } from '../until.ts';

/** Full handshakes that each rotation must see, half of them before it. */
const HANDSHAKES = 500;

/** Least that an answer of the reviews takes on the wire. */
const MIN_ANSWER_BYTES = 100;

/** Scene 1: who may call, what the wire shows, and that rotation hurts nobody. */
export async function security(shop: Shop, report: Report): Promise<void> {
  report.scene('1. Security');
  await wire(shop, report);
  await refusals(shop, report);
  await shop.apply('full-handshakes.yaml');
  await rotation(shop, report, 'leaves');
  await rotation(shop, report, 'issuer');
  await shop.remove('full-handshakes.yaml');
  await joinTokens(shop, report);
}

/** What a relay between two sidecars sees: front is told that it is reviews v1. */
async function wire(shop: Shop, report: Report): Promise<void> {
  const sent = await load({
    port: shop.front.upstreamPort('reviews'),
    requests: 200,
    request: (i) => ({ path: `/reviews/${i}?token=${secret}`, headers: { 'x-secret': secret } }),
  });
  const seen = shop.relay.report();
  report.claim(
    'the wire between sidecars carries TLS records and nothing else',
    // Over HTTP/2 several requests may share a record; what the reviews say does not shrink.
    seen.violations.length === 0 && seen.records > 20 && seen.bytes > 200 * MIN_ANSWER_BYTES,
    `${seen.records} records, ${seen.bytes} bytes, ${seen.violations.length} violations${seen.violations[0] === undefined ? '' : ` (${seen.violations[0]})`}`,
  );
  report.claim(
    'a planted secret never crosses it in clear',
    seen.secretsSeen === 0 && sent.statuses.get(200) === 200,
    `${seen.secretsSeen} sightings in ${sent.statuses.get(200) ?? 0} requests that carried it`,
  );
}

async function refusals(shop: Shop, report: Report): Promise<void> {
  const { inboundPort, admin } = shop.reviewsV1;
  const refused = async (reason: string): Promise<number> => admin.sum('tulle_tls_refused_total', { reason });

  const plainBefore = await refused('plaintext');
  const plain = await answerOf(
    http.get({ host: '127.0.0.1', port: inboundPort, path: '/reviews/1', agent: false, timeout: 10_000 }),
  );
  const plainCounted = (await refused('plaintext')) - plainBefore;
  report.claim(
    'a plaintext caller is refused',
    plain === 'refused' && plainCounted === 1,
    `${plain}; the server counted ${plainCounted} for "plaintext"`,
  );

  // Another CA, whose trust domain has the same name, says that its holder is front.
  const foreign = await createCa({ trustDomain, store: memoryStore() });
  const forged = localIdentity(foreign, { spiffeId: spiffeId('front') });
  const { svid } = await forged.ready();
  const issuerBefore = await refused('unknown-issuer');
  const stranger = await answerTo(inboundPort, svid.certificateChainPem, svid.privateKeyPem);
  const issuerCounted = (await refused('unknown-issuer')) - issuerBefore;
  forged.close();
  await foreign.close();
  report.claim(
    "a foreign CA's certificate with the right name is refused",
    stranger === 'refused' && issuerCounted === 1,
    `${stranger}; the server counted ${issuerCounted} for "unknown-issuer"`,
  );

  const port = await freePort();
  const outsider = await shop.tulle.must(
    ...[
      'run',
      '--quiet',
      '--name',
      'wholesaler',
      '--start-timeout',
      '60',
      '--upstream',
      `reviews=${port}`,
      '--',
    ],
    ...ask(`http://127.0.0.1:${port}/reviews/1`, 20),
  );
  const denied = await admin.sum('tulle_requests_total', {
    code: 'TULLE_AUTHZ_DENIED',
    source_workload: 'wholesaler',
  });
  report.claim(
    'a valid identity outside policy is refused',
    outsider.out.trim() === '403 20' && denied === 20,
    `${outsider.out.trim().replace('403 20', '20 of 20 got 403')}; the server counted ${denied} of wholesaler as TULLE_AUTHZ_DENIED`,
  );
}

/** Certificates are replaced while every request needs a new connection, and each connection a full handshake. */
async function rotation(shop: Shop, report: Report, what: 'leaves' | 'issuer'): Promise<void> {
  // What the wire shows of the server, and what the caller's engine shows of itself: leaf, then issuer.
  const serials = async (): Promise<readonly string[]> => [
    await serialAt(shop.reviewsV1.inboundPort),
    ...(await shop.front.admin.serials()),
  ];
  const handshakes = (): number => shop.relay.report().fullHandshakes;
  const [oldServer, oldClient, oldIssuer] = await serials();
  const before = handshakes();
  const stop = new AbortController();
  const run = load({
    port: shop.front.upstreamPort('reviews'),
    signal: stop.signal,
    concurrency: 8,
    request: (i) => ({ path: `/reviews/${i}` }),
  });
  const reach = async (count: number): Promise<true> =>
    until(`that ${count} handshakes were made`, async () => (handshakes() >= count ? true : undefined));
  let rotatedAfter = 0;
  let changed: readonly string[] | undefined;
  try {
    await reach(before + HANDSHAKES / 2);
    await shop.tulle.must('ca', 'rotate', what);
    changed = await until('that both sides show new certificates', async () => {
      const [server, client, issuer] = await serials();
      const fresh =
        server !== oldServer && client !== oldClient && (what === 'leaves' || issuer !== oldIssuer);
      return fresh ? [server ?? '', client ?? '', issuer ?? ''] : undefined;
    });
    rotatedAfter = handshakes() - before;
    await reach(handshakes() + HANDSHAKES / 2);
  } finally {
    stop.abort();
  }
  const result = await run;
  const total = handshakes() - before;
  const lost = result.requests - (result.statuses.get(200) ?? 0);
  report.claim(
    `rotating the ${what} under load fails no request`,
    lost === 0 && total >= HANDSHAKES && total - rotatedAfter >= HANDSHAKES / 2,
    `${lost} of ${result.requests} failed over ${total} full handshakes; serials changed on both sides after ${rotatedAfter}${
      what === 'issuer' ? `, the issuer's from ${shortOf(oldIssuer)} to ${shortOf(changed[2])}` : ''
    }`,
  );
  for (const failure of result.failures) report.note(failure);
}

/** Over the network, as a workload of another machine that knows the token and nothing else. */
async function joinTokens(shop: Shop, report: Report): Promise<void> {
  const { tulle } = shop;
  const where = JSON.parse((await tulle.must('status', '-o', 'json')).out) as {
    readonly trustDomain: string;
  };
  const { xds } = await shop.endpoints();
  let strangers = 0;
  const join = async (token: string): Promise<string> => {
    const state = await tulle.strangerDirectory(`stranger-${++strangers}`);
    const { code, err } = await tulle.run(
      [
        ...['run', '--name', 'newcomer', '--control-plane', xds, '--trust-domain', where.trustDomain],
        ...['--start-timeout', '60', '--', 'true'],
      ],
      { TULLE_STATE_DIR: state, TULLE_RUN_DIR: `${state}/run`, TULLE_TOKEN: token },
    );
    if (code === 0) return 'admitted';
    return /join token was refused/.test(err) ? 'refused' : `code ${String(code)}: ${err.trim()}`;
  };
  const token = async (...options: string[]): Promise<string> =>
    (await tulle.must('token', 'create', 'newcomer', ...options)).out.trim();
  const good = await token();
  const first = await join(good);
  const again = await join(good);
  // 6 ms: over before a process can start.
  const expired = await join(await token('--lifetime-minutes', '0.0001'));
  report.claim(
    'an expired or reused join token gets nothing',
    first === 'admitted' && again === 'refused' && expired === 'refused',
    `first use ${first}, second ${again}, expired ${expired}`,
  );
}

const shortOf = (serial: string | undefined): string => `${serial?.slice(0, 8) ?? '?'}…`;

async function answerOf(request: http.ClientRequest): Promise<string> {
  try {
    request.on('timeout', () => request.destroy());
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    return `answered ${response.statusCode}`;
  } catch {
    return 'refused';
  }
}

/** Shows a certificate, then asks; whether anything came back. */
async function answerTo(port: number, cert: string, key: string): Promise<string> {
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    cert,
    key,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['http/1.1'],
  });
  let answer = '';
  socket.on('data', (piece: Buffer) => {
    answer += piece.toString('latin1');
  });
  socket.on('error', () => {});
  socket.on('secureConnect', () =>
    socket.write('GET /reviews/1 HTTP/1.1\r\nHost: reviews\r\nConnection: close\r\n\r\n'),
  );
  socket.setTimeout(10_000, () => socket.destroy());
  await once(socket, 'close');
  return answer === '' ? 'refused' : `answered ${answer.slice(9, 12)}`;
}

/** Serial of the certificate that a server shows; it does so before it asks who calls. */
async function serialAt(port: number): Promise<string> {
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
  socket.on('error', () => {});
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerX509Certificate()?.serialNumber ?? '';
  } finally {
    socket.destroy();
  }
}
