// A caller that asks many times, and counts who answered: node src/count.mjs [TARGET] [CALLS] [NAME=VALUE of metadata]
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import { load } from '@grpc/proto-loader';

const [target = '127.0.0.1:9001', calls = '100', field] = process.argv.slice(2);
const { shop } = grpc.loadPackageDefinition(await load(new URL('orders.proto', import.meta.url).pathname));
const client = new shop.v1.Orders(target, grpc.credentials.createInsecure());
const place = promisify(client.Place).bind(client);

const metadata = new grpc.Metadata();
if (field !== undefined) metadata.set(...field.split('='));
const seen = {};
for (let i = 0; i < Number(calls); i++) {
  const who = await place({ item: 'shirt' }, metadata).then(
    ({ version }) => version,
    ({ code }) => grpc.status[code],
  );
  seen[who] = (seen[who] ?? 0) + 1;
}
console.log(
  Object.entries(seen)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([who, count]) => `${who}: ${count}`)
    .join(', '),
);
client.close();
