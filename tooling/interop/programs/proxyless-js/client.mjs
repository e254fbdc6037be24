// A client with gRPC's own xDS: `node client.mjs TARGET`. Reads a command a line (JSON) and writes an answer a line.
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import { register, XdsChannelCredentials } from '@grpc/grpc-js-xds';
import { loadSync } from '@grpc/proto-loader';
import { ECHO } from './echo.mjs';

const [target] = process.argv.slice(2);
register();
const client = new grpc.Client(target, new XdsChannelCredentials(grpc.credentials.createInsecure()));
let soak;

function call({ method = 'say', request = {}, headers = {}, timeoutMs = 10_000 }) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const { path, requestSerialize, responseDeserialize } = ECHO[method];
  const startedMs = performance.now();
  return new Promise((resolve) =>
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      { deadline: Date.now() + timeoutMs },
      (error, answer) =>
        resolve({
          ...(error ? { code: grpc.status[error.code], details: error.details } : { code: 'OK', ...answer }),
          ms: performance.now() - startedMs,
        }),
    ),
  );
}

/** One call after the other until it is told to stop. */
async function run({ everyMs }) {
  const counts = { calls: 0, failed: [], servers: {}, lastServer: undefined };
  const { promise, resolve } = Promise.withResolvers();
  soak = { counts, over: false, ended: promise };
  while (!soak.over) {
    const { code, details, server } = await call({});
    counts.calls++;
    if (code === 'OK') counts.servers[server] = (counts.servers[server] ?? 0) + 1;
    else counts.failed.push(`${code}: ${details}`);
    counts.lastServer = server;
    await new Promise((wait) => setTimeout(wait, everyMs));
  }
  resolve();
}

/** What the program's own ClientStatusDiscoveryService says of its resources. */
async function csds() {
  const deps = join(dirname(fileURLToPath(import.meta.resolve('@grpc/grpc-js-xds'))), '../../deps');
  const { envoy } = grpc.loadPackageDefinition(
    loadSync('envoy/service/status/v3/csds.proto', {
      includeDirs: ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((name) => join(deps, name)),
      enums: String,
      defaults: true,
    }),
  );
  const server = new grpc.Server();
  grpc.addAdminServicesToServer(server);
  const port = await new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(new Error(error.message)) : resolve(bound),
    ),
  );
  const status = new envoy.service.status.v3.ClientStatusDiscoveryService(
    `127.0.0.1:${port}`,
    grpc.credentials.createInsecure(),
  );
  const response = await new Promise((resolve, reject) =>
    status.fetchClientStatus({}, (error, answer) =>
      error ? reject(new Error(error.message)) : resolve(answer),
    ),
  );
  status.close();
  server.forceShutdown();
  return response.config
    .flatMap((config) => config.genericXdsConfigs)
    .map(({ typeUrl, name, clientStatus }) => ({
      type: typeUrl.slice(typeUrl.lastIndexOf('.') + 1),
      name,
      status: clientStatus,
    }));
}

const commands = {
  async call({ times = 1, ...one }) {
    const answers = [];
    for (let i = 0; i < times; i++) answers.push(await call(one));
    return answers;
  },
  async together({ times, staggerMs = 0, ...one }) {
    return Promise.all(
      Array.from({ length: times }, async (_, i) => {
        if (staggerMs > 0) await new Promise((wait) => setTimeout(wait, i * staggerMs));
        return call(one);
      }),
    );
  },
  async soak(options) {
    void run(options);
    return {};
  },
  async counts() {
    return soak.counts;
  },
  async stop() {
    soak.over = true;
    await soak.ended;
    return soak.counts;
  },
  csds,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, command, ...options } = JSON.parse(line);
  console.log(JSON.stringify({ id, answer: await commands[command](options) }));
}
