import { createCa, localIdentity, memoryStore } from '@tulle/ca';
import { createKeyAndCsr } from '@tulle/spiffe';
import { once } from 'node:events';
import http from 'node:http';
import tls from 'node:tls';
import { load } from '../load.ts';
import { sum } from '../metrics.ts';
import type { Report } from '../report.ts';
import { secret, type Shop } from '../shop.ts';
import { meshCluster, reroute, spiffeId, startSidecar, trustDomain } from '../sidecar.ts';

/** Handshakes that each rotation must see. */
const HANDSHAKES = 500;

/** Scene 1: who may call, what the wire shows, and that rotation hurts nobody. */
export async function security(shop: Shop, report: Report): Promise<void> {
  report.scene('1. Security');
  const outbound = shop.frontSidecar.port('to-reviews');
  const inbound = shop.reviewsV1Sidecar.port('inbound');
  const refusals = (reason: string): number =>
    sum(shop.reviewsV1Sidecar.metrics(), 'tulle_tls_refused_total', { reason });

  const secrets = await load({
    port: outbound,
    requests: 200,
    request: (i) => ({ path: `/reviews/${i}?token=${secret}`, headers: { 'x-secret': secret } }),
  });
  const wire = shop.relay.report();
  report.claim(
    'the wire between sidecars carries TLS records and nothing else',
    wire.violations.length === 0 && wire.records > 400,
    `${wire.records} records, ${wire.bytes} bytes, ${wire.violations.length} violations`,
  );
  report.claim(
    'a planted secret never crosses it in clear',
    wire.secretsSeen === 0 && secrets.statuses.get(200) === 200,
    `${wire.secretsSeen} sightings in ${secrets.statuses.get(200) ?? 0} requests that carried it`,
  );

  const plain = await attempt(
    http.get({ host: '127.0.0.1', port: inbound, path: '/reviews/1', agent: false, timeout: 5000 }),
  );
  report.claim(
    'a plaintext caller is refused',
    plain === 'refused' && refusals('plaintext') >= 1,
    `${plain}; reason "plaintext" counted ${refusals('plaintext')}`,
  );

  const foreign = await createCa({ trustDomain, store: memoryStore() });
  const forged = localIdentity(foreign, { spiffeId: spiffeId('front') });
  const { svid } = await forged.ready();
  const before = refusals('unknown-issuer');
  const stranger = await handshake(inbound, svid.certificateChainPem, svid.privateKeyPem);
  report.claim(
    "a foreign CA's certificate with the right name is refused",
    stranger === 'refused' && refusals('unknown-issuer') > before,
    `${stranger}; reason "unknown-issuer" counted ${refusals('unknown-issuer')}`,
  );
  forged.close();
  foreign.close();

  const catalogCaller = await startSidecar({
    ca: shop.ca,
    service: 'catalog',
    outbound: [
      {
        service: 'reviews',
        clusters: [meshCluster('reviews', 'reviews', [inbound], 'v1')],
        split: [{ name: 'reviews' }],
      },
    ],
  });
  const outside = await load({
    port: catalogCaller.port('to-reviews'),
    requests: 20,
    concurrency: 2,
    request: () => ({ path: '/reviews/1' }),
  });
  const denied = sum(shop.reviewsV1Sidecar.metrics(), 'tulle_requests_total', {
    code: 'TULLE_AUTHZ_DENIED',
    source_workload: 'catalog',
  });
  report.claim(
    'a valid identity outside policy is refused',
    outside.statuses.get(403) === 20 && denied === 20,
    `${outside.statuses.get(403) ?? 0} of 20 got 403; the server counted ${denied} as TULLE_AUTHZ_DENIED from catalog`,
  );
  await catalogCaller.stop();

  // A new connection for each request, so that rotation meets many handshakes.
  await reroute(shop.frontSidecar, 'reviews', {
    clusters: [
      meshCluster('reviews-v1', 'reviews', [shop.relay.port], 'v1', {
        pool: { maxRequestsPerConnection: 1 },
      }),
    ],
  });
  for (const [what, rotate] of [
    ['rotating the leaves', () => shop.ca.rotateLeaves()],
    ['rotating the issuer', () => shop.ca.rotateIssuer()],
  ] as const) {
    const serials = (): string[] =>
      [shop.frontSidecar, shop.reviewsV1Sidecar].map((side) => side.identity.current()?.svid.serial ?? '');
    const old = serials();
    const handshakesBefore = sum(shop.reviewsV1Sidecar.metrics(), 'tulle_listener_downstream_cx_ssl_total');
    let done = 0;
    let rotated: Promise<void> | undefined;
    const run = await load({
      port: outbound,
      requests: HANDSHAKES * 2,
      concurrency: 8,
      request: (i) => ({ path: `/reviews/${i}` }),
      progress: () => {
        if (++done === HANDSHAKES / 2) rotated = rotate();
      },
    });
    await rotated;
    const fresh = serials();
    const handshakes =
      sum(shop.reviewsV1Sidecar.metrics(), 'tulle_listener_downstream_cx_ssl_total') - handshakesBefore;
    const changed = fresh.every((serial, side) => serial !== old[side]);
    const lost = run.requests - (run.statuses.get(200) ?? 0);
    report.claim(
      `${what} under load fails no request`,
      lost === 0 && handshakes >= HANDSHAKES && changed,
      `${lost} of ${run.requests} failed over ${handshakes} handshakes; serials ${changed ? 'changed on both sides' : 'did not change'}`,
    );
  }
  await reroute(shop.frontSidecar, 'reviews', {
    clusters: [meshCluster('reviews-v1', 'reviews', [shop.relay.port], 'v1')],
  });

  const token = (lifetimeMs: number): ReturnType<typeof shop.ca.createJoinToken> =>
    shop.ca.createJoinToken({ namespace: 'default', serviceAccount: 'newcomer', lifetimeMs });
  // Another key each time: the same one may ask again, so that a lost answer does not cost the token.
  const join = async (text: string): Promise<string> =>
    shop.ca.attest(text, (await createKeyAndCsr(spiffeId('newcomer'))).csrDer).then(
      () => 'admitted',
      (error: unknown) => (error as { reason?: string }).reason ?? String(error),
    );
  const good = (await token(60_000)).token;
  const first = await join(good);
  const again = await join(good);
  const late = await token(1);
  while (Date.now() <= late.expiresAtMs)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  const expired = await join(late.token);
  report.claim(
    'an expired or reused join token gets nothing',
    first === 'admitted' && again !== 'admitted' && expired !== 'admitted',
    `first use ${first}, second ${again}, expired ${expired}`,
  );
}

async function attempt(request: http.ClientRequest): Promise<string> {
  try {
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    return `answered ${response.statusCode}`;
  } catch {
    return 'refused';
  }
}

/** Shows a certificate, then asks; whether anything came back. */
async function handshake(port: number, cert: string, key: string): Promise<string> {
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
  socket.setTimeout(5000, () => socket.destroy());
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  return answer === '' ? 'refused' : `answered ${answer.slice(9, 12)}`;
}
