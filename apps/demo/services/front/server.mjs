// The shop's front page. An ordinary HTTP server: it knows two addresses of other services, and nothing else.
import http from 'node:http';

const port = Number(process.env.PORT ?? 8001);
const catalog = process.env.CATALOG_URL ?? 'http://127.0.0.1:8002';
const reviews = process.env.REVIEWS_URL ?? 'http://127.0.0.1:8003';
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

/** Asks another service; copies the trace context as any traced service would. */
function ask(base, path, traceparent) {
  return new Promise((resolve, reject) => {
    const headers = traceparent ? { traceparent } : {};
    const request = http.get(base + path, { agent, headers, timeout: 10_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (piece) => {
        body += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode, body }));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('timed out')));
    request.on('error', reject);
  });
}

const escape = (text) =>
  String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

async function page(request) {
  const traceparent = request.headers.traceparent;
  const [products, opinion] = await Promise.allSettled([
    ask(catalog, '/products', traceparent),
    ask(reviews, '/reviews/1', traceparent),
  ]);
  const list =
    products.status === 'fulfilled' && products.value.status === 200
      ? JSON.parse(products.value.body).products
      : [];
  const review =
    opinion.status === 'fulfilled' && opinion.value.status === 200
      ? JSON.parse(opinion.value.body)
      : undefined;
  return `<!doctype html><meta charset="utf-8"><title>Fabric shop</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}li{margin:.3rem 0}small{color:#666}</style>
<h1>Fabric shop</h1>
<ul>${list.map((p) => `<li>${escape(p.name)} <small>${escape(p.price)} €/m</small></li>`).join('') || '<li>The catalogue is away.</li>'}</ul>
<h2>What people say</h2>
<p>${review ? `${'★'.repeat(review.stars)} ${escape(review.text)} <small>(reviews ${escape(review.version)})</small>` : 'The reviews are away.'}</p>`;
}

async function answer(request, response) {
  const path = request.url.split('?')[0];
  if (path === '/healthz') return void response.writeHead(200).end('ok\n');
  if (path === '/') {
    const html = await page(request);
    return void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
  }
  if (path.startsWith('/api/reviews/') || path === '/api/products') {
    try {
      const base = path === '/api/products' ? catalog : reviews;
      const got = await ask(base, request.url.slice(4), request.headers.traceparent);
      return void response.writeHead(got.status, { 'content-type': 'application/json' }).end(got.body);
    } catch (error) {
      return void response
        .writeHead(502, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: error.message }));
    }
  }
  response.writeHead(404).end('not found\n');
}

const server = http.createServer((request, response) => void answer(request, response));
server.keepAliveTimeout = 30_000;
server.listen(port, '127.0.0.1', () => console.log(`front listens on 127.0.0.1:${server.address().port}`));
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
