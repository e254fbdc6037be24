// A whole control plane in the test's process: CA, ADS, resources and REST API, on free ports.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Server } from '@grpc/grpc-js';
import { addCaService, createCa, localIdentity, memoryStore, serveMeshGrpc } from '@tulle/ca';
import { createApi, createControlPlane } from '@tulle/control-plane';
import { addAdsService } from '@tulle/xds-server';

const trustDomain = 'test.local';

export interface Mesh {
  readonly api: string;
  close(): Promise<void>;
}

/** Starts it and writes where it is into the state directory, as a control plane does. */
export async function startMesh(stateDir: string): Promise<Mesh> {
  const ca = await createCa({ trustDomain, store: memoryStore() });
  const own = localIdentity(ca);
  await own.ready();
  const server = new Server();
  const grpc = await serveMeshGrpc(server, { identity: own });
  addCaService(server, ca, { callerIdentity: grpc.callerIdentity });
  const controlPlane = createControlPlane({ trustDomain, graceMs: 0 });
  const ads = addAdsService(server, {
    provider: controlPlane.provider,
    authenticate: (call) => {
      const spiffeId = grpc.callerIdentity(call);
      return spiffeId === undefined ? undefined : { spiffeId };
    },
  });
  const api = createApi({
    controlPlane,
    ca: {
      createJoinToken: async (request) => ca.createJoinToken(request),
      rotateIssuer: async () => void (await ca.rotateIssuer()),
      rotateLeaves: async () => void (await ca.rotateLeaves()),
    },
  });
  const address = await api.listen({ port: 0 });
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await writeFile(
    join(stateDir, 'control-plane.json'),
    JSON.stringify({ api: address, xds: `127.0.0.1:${grpc.port}`, trustDomain }),
  );
  return {
    api: address,
    async close() {
      await api.close();
      ads.close();
      await grpc.close();
      server.forceShutdown();
      await controlPlane.close();
      own.close();
      ca.close();
    },
  };
}
