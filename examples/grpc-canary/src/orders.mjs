// The service: VERSION=v1 PORT=50051 node src/orders.mjs
import grpc from '@grpc/grpc-js';
import { load } from '@grpc/proto-loader';

const { VERSION: version = 'v1', PORT: port = '50051' } = process.env;
const { shop } = grpc.loadPackageDefinition(await load(new URL('orders.proto', import.meta.url).pathname));

const server = new grpc.Server();
server.addService(shop.v1.Orders.service, {
  Place: ({ request }, reply) => reply(null, { version, item: request.item }),
  Watch(call) {
    let count = 0;
    const timer = setInterval(() => call.write({ version, item: `order ${(count += 1)}` }), 1_000);
    call.on('cancelled', () => clearInterval(timer));
  },
});
server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
