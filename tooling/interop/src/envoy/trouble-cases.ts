import { strict as assert } from 'node:assert';
import { readFile } from 'node:fs/promises';
import { create } from '@bufbuild/protobuf';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import {
  type ClientConfig_GenericXdsConfig,
  ClientStatusDiscoveryService,
  ClientStatusRequestSchema,
  type ClientStatusResponse,
  ConfigStatus,
} from '@tulle/xds-proto/envoy/service/status/v3/csds';
import { grpcService } from '@tulle/xds-proto/grpc';
import type { Case } from '../suite.ts';
import { until } from '../until.ts';
import { ask, kindsOf, type Mesh, WARM_MS } from './mesh.ts';

/** What goes wrong; the last one ends the control plane. */
export const troubleCases: readonly Case<Mesh>[] = [
  {
    name: 'what Envoy refuses is in the status, with its reason, and what it has stays',
    async run(mesh) {
      // A listener on a port that somebody else has: valid for Tulle, impossible for this Envoy.
      await mesh.startEnvoy('refuser', mesh.origins[0]);
      await until(
        'a NACK of the listener',
        () => {
          const kinds = kindsOf(mesh, 'refuser');
          assert.equal(kinds['listener']?.state, 'NACKED', JSON.stringify(kinds));
          assert.match(kinds['listener'].error ?? '', /[Aa]ddress already in use/);
          assert.equal(kinds['cluster']?.state, 'SYNCED');
        },
        WARM_MS,
      );
      assert.match(await ask(`${mesh.local}/`), /^200 one/);
      assert.equal(kindsOf(mesh, 'caller')['listener']?.state, 'SYNCED');
      const [refused, ...others] = await listenersOf(mesh, 'refuser');
      assert.deepEqual([refused?.configStatus, others], [ConfigStatus.ERROR, []]);
      assert.match(refused?.errorState?.details ?? '', /[Aa]ddress already in use/);
    },
  },
  {
    name: 'Envoy goes on with what it has when the control plane dies',
    async run(mesh) {
      await mesh.controlPlane.close();
      assert.match(await ask(`${mesh.local}/`), /^200 one/);
    },
  },
];

/** What the control plane says over CSDS of an Envoy's listeners. */
async function listenersOf(mesh: Mesh, name: string): Promise<readonly ClientConfig_GenericXdsConfig[]> {
  const { spiffeId, certificate, key, roots } = await mesh.identityOf(name);
  const [ca, keyPem, chain] = await Promise.all([readFile(roots), readFile(key), readFile(certificate)]);
  const { xds, apiSecret } = mesh.controlPlane.endpoints;
  const channel = credentials.createSsl(ca, keyPem, chain, { checkServerIdentity: () => undefined });
  const client = new Client(xds, channel);
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${apiSecret}`);
  const { path, requestSerialize, responseDeserialize } = grpcService(
    ClientStatusDiscoveryService,
  ).fetchClientStatus;
  const request = create(ClientStatusRequestSchema, {
    nodeMatchers: [{ nodeId: { matchPattern: { case: 'prefix', value: spiffeId } } }],
  });
  try {
    const { config } = await new Promise<ClientStatusResponse>((resolve, reject) => {
      const done = (error: Error | null, response?: ClientStatusResponse): void =>
        response ? resolve(response) : reject(error ?? new Error('no answer'));
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, done);
    });
    return config.flatMap(({ genericXdsConfigs }) =>
      genericXdsConfigs.filter(({ typeUrl }) => typeUrl.endsWith('.Listener')),
    );
  } finally {
    client.close();
  }
}
