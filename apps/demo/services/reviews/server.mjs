// The shop's reviews. VERSION says which release this is; BROKEN makes a release that fails, as releases sometimes do.
// It notes the ids of the orders it was sent in ORDERS_FILE, if there is one, so that anybody can count what arrived, also
// when it has died meanwhile. It calls the catalogue for a product's name and, unlike the front page, does not pass on
// traceparent: somebody forgot, as somebody always does.
import { appendFileSync } from 'node:fs';
import http from 'node:http';

const catalog = process.env.CATALOG_URL ?? 'http://127.0.0.1:8002';
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });

const version = process.env.VERSION ?? 'v1';
const broken = process.env.BROKEN === '1';
const delayMs = Number(process.env.DELAY_MS ?? 0);
const texts = { v1: 'Light as air.', v2: 'Light as air, and it keeps its shape.' };
const ordersFile = process.env.ORDERS_FILE;

function answer(response, status, value) {
  const body = JSON.stringify(value);
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    .end(body);
}

const server = http.createServer((request, response) => {
  const path = request.url.split('?')[0];
  if (path === '/healthz') return answer(response, 200, { ok: true });
  if (request.method === 'POST' && path.startsWith('/orders/')) {
    const id = path.slice('/orders/'.length);
    if (ordersFile) appendFileSync(ordersFile, `${id}\n`);
    request.resume();
    request.on('end', () =>
      setTimeout(() => answer(response, 201, { id, version, pid: process.pid }), delayMs),
    );
    return undefined;
  }
  if (path.startsWith('/reviews/') && path.endsWith('/with-product')) {
    const asked = http.get(`${catalog}/products`, { agent, timeout: 10_000 }, (reply) => {
      let body = '';
      reply.setEncoding('utf8');
      reply.on('data', (piece) => {
        body += piece;
      });
      reply.on('end', () =>
        answer(
          response,
          reply.statusCode,
          reply.statusCode === 200
            ? { product: JSON.parse(body).products[0], text: texts[version] ?? texts.v2, version }
            : { error: `the catalogue answered ${reply.statusCode}`, version },
        ),
      );
    });
    asked.on('timeout', () => asked.destroy(new Error('timed out')));
    asked.on('error', (error) => answer(response, 502, { error: error.message, version }));
    return undefined;
  }
  if (path.startsWith('/reviews/')) {
    const send = () =>
      broken
        ? answer(response, 500, { error: 'this release is broken', version })
        : answer(response, 200, {
            stars: version === 'v1' ? 4 : 5,
            text: texts[version] ?? texts.v2,
            version,
            pid: process.pid,
            port: server.address().port,
          });
    if (delayMs > 0) setTimeout(send, delayMs);
    else send();
    return undefined;
  }
  return answer(response, 404, { error: 'not found' });
});
server.keepAliveTimeout = 30_000;
server.listen(Number(process.env.PORT ?? 8003), '127.0.0.1', () =>
  console.log(`reviews ${version} listens on 127.0.0.1:${server.address().port}`),
);
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
