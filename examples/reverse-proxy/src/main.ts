// node src/main.ts 8080 127.0.0.1:3000
import { reverseProxy } from './reverse-proxy.ts';

const [port = '8080', origin = '127.0.0.1:3000'] = process.argv.slice(2);
const proxy = reverseProxy({ port: Number(port), origin });
await proxy.start();
console.log(`http://127.0.0.1:${port} passes on to ${origin}; Ctrl-C stops it`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void proxy.drain({ windowMs: 2000 }).then(() => proxy.stop());
  });
}
