// The shop's catalogue, for machines without Python.
import http from 'node:http';

const products = [
  { id: 1, name: 'Tulle, silk', price: 18 },
  { id: 2, name: 'Tulle, cotton', price: 9 },
  { id: 3, name: 'Organza', price: 14 },
  { id: 4, name: 'Chiffon', price: 11 },
];

const server = http.createServer((request, response) => {
  const path = request.url.split('?')[0];
  const [status, value] =
    path === '/products'
      ? [200, { products, service: 'catalog' }]
      : path === '/healthz'
        ? [200, { ok: true }]
        : [404, { error: 'not found' }];
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
});
server.keepAliveTimeout = 30_000;
server.listen(Number(process.env.PORT ?? 8002), '127.0.0.1', () =>
  console.log(`catalog listens on 127.0.0.1:${server.address().port}`),
);
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
