// node src/main.ts 8080 127.0.0.1:3000 127.0.0.1:4000 https://issuer.example 127.0.0.1:8443 issuer-root.pem
import { readFileSync } from 'node:fs';
import { apiGateway } from './api-gateway.ts';

const [port = '8080', api = '127.0.0.1:3000', authorizer = '127.0.0.1:4000', name, address, caFile] =
  process.argv.slice(2);
if (name === undefined || address === undefined || caFile === undefined) {
  console.error('node src/main.ts PORT API AUTHORIZER ISSUER ISSUER-ADDRESS ROOT.pem');
  process.exit(64);
}
const gateway = apiGateway({
  port: Number(port),
  api,
  authorizer,
  issuer: { name, address, caPem: readFileSync(caFile, 'utf8') },
});
await gateway.start();
console.log(`http://127.0.0.1:${port} is the edge of ${api}; Ctrl-C stops it`);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void gateway.drain({ windowMs: 2_000 }).then(() => gateway.stop()));
