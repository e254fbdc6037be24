// A server with gRPC's own xDS: `node server.mjs HOST:PORT NAME`. Prints `serving` when it has its listener.
import grpc from '@grpc/grpc-js';
import { register, XdsServer, XdsServerCredentials } from '@grpc/grpc-js-xds';
import { ECHO } from './echo.mjs';

const [address, name] = process.argv.slice(2);
register();
const server = new XdsServer();

function answer(call, callback) {
  const attempts = Number(call.metadata.get('grpc-previous-rpc-attempts')[0] ?? 0);
  const { failures = 0, at = name, delayMs = 0 } = call.request;
  if (delayMs > 0) return void setTimeout(() => respond(call, callback, attempts), delayMs);
  if (attempts < failures && at === name)
    return callback({
      code: grpc.status[call.request.status ?? 'UNAVAILABLE'],
      details: `${name} fails attempt ${attempts}`,
    });
  respond(call, callback, attempts);
}

function respond(call, callback, attempts) {
  const caller = call.getAuthContext().sslPeerCertificate?.subjectaltname ?? 'nobody';
  callback(null, { server: name, attempts, caller });
}

server.addService(ECHO, { say: answer, secret: answer });
server.bindAsync(address, new XdsServerCredentials(grpc.ServerCredentials.createInsecure()), (error) => {
  if (error) throw error;
  console.log('serving');
});
