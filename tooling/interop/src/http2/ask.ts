/**
 * The client that h2specd runs once a case: asks the proxy for the URL that h2specd listens at, whatever comes of it.
 * `ask.ts PROXY_PORT http://127.0.0.1:PORT/`
 */
import { request } from 'node:http';

const [proxyPort, url = ''] = process.argv.slice(2);
const { port } = new URL(url);
const ask = request(
  { host: '127.0.0.1', port: Number(proxyPort), path: `/${port}/`, method: 'GET' },
  (answer) => answer.resume(),
);
ask.on('error', () => undefined);
ask.end();
// h2specd gives a case three seconds; what it did to the proxy's connection is all that counts.
setTimeout(() => process.exit(), 2_500).unref();
