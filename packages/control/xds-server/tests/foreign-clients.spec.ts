import { create, createRegistry, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt';
import { Server } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProxyConfig, TrustBundle } from '@tulle/model';
import { type Cluster, ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import { DiscoveryRequestSchema } from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { SecretDiscoveryService } from '@tulle/xds-proto/envoy/service/secret/v3/sds';
import { type Secret, SecretSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import {
  type UpstreamTlsContext,
  UpstreamTlsContextSchema,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { grpcService } from '@tulle/xds-proto/grpc';
import { addAdsService, type AdsService } from '../src/index.ts';
import { deltaRequest, listen, openRaw, type RawDelta } from './raw-client.ts';

const SECRET = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
const CLUSTER = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const registry = createRegistry(ClusterSchema, SecretSchema, UpstreamTlsContextSchema);
const open = <T>(any: Any | undefined): T => anyUnpack(any as Any, registry) as T;

const config: ProxyConfig = {
  version: '',
  listeners: [],
  routes: [],
  clusters: [
    {
      name: 'a',
      discovery: { kind: 'eds' },
      tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } },
    },
    {
      name: 'named',
      discovery: {
        kind: 'dns',
        use: 'all',
        endpoints: [{ address: { host: 'api.example.org', port: 443 } }],
      },
      tls: { trust: { kind: 'system' }, serverName: 'api.example.org' },
    },
    {
      name: 'nameless',
      discovery: { kind: 'static', endpoints: [{ address: { host: '192.0.2.1', port: 443 } }] },
      tls: { trust: { kind: 'files', caFile: '/ca' } },
    },
  ],
  endpoints: [
    {
      name: 'a',
      endpoints: [{ address: { host: '10.0.0.1', port: 1 }, identity: 'spiffe://m/ns/d/sa/a' }],
    },
  ],
};

let server: Server;
let ads: AdsService;
let target: string;
let bundles: TrustBundle[];
let announce: () => void;
let streams: RawDelta[];

beforeEach(async () => {
  server = new Server();
  streams = [];
  bundles = [{ trustDomain: 'm', rootsPem: ['one\n'], generation: 1 }];
  ads = addAdsService(server, {
    provider: {
      open: () => ({
        current: () => ({ changeId: 'c', config }),
        subscribe: () => () => {},
        acked() {},
        closed() {},
      }),
    },
    trust: {
      current: () => bundles,
      subscribe(listener) {
        announce = listener;
        return () => {};
      },
    },
    authenticate: () => ({ spiffeId: 'spiffe://m/ns/d/sa/caller' }),
  });
  target = await listen(server);
});

afterEach(() => {
  for (const stream of streams) stream.close();
  ads.close();
  server.forceShutdown();
});

function connect(service: 'ads' | 'sds' = 'ads'): RawDelta {
  const stream = openRaw(
    target,
    service === 'ads'
      ? grpcService(AggregatedDiscoveryService).deltaAggregatedResources
      : grpcService(SecretDiscoveryService).deltaSecrets,
  );
  streams.push(stream);
  return stream;
}

const node = (metadata = {}, clientFeatures: string[] = []): object => ({
  id: 'spiffe://m/ns/d/sa/caller~1',
  metadata,
  clientFeatures,
});

async function tlsSeen(given: object, cluster = 'a'): Promise<UpstreamTlsContext['commonTlsContext']> {
  const stream = connect();
  stream.send(deltaRequest({ typeUrl: CLUSTER, node: given }));
  const { resources } = await stream.next();
  const { resource } = resources.find(({ name }) => name === cluster) ?? {};
  const socket = open<Cluster>(resource).transportSocket?.configType.value;
  return open<UpstreamTlsContext>(socket).commonTlsContext;
}

describe("a client that is not Tulle's", () => {
  it('is told whom to expect at the endpoints of a cluster', async () => {
    const common = await tlsSeen(node());
    const context = common?.validationContextType;
    expect(context).toMatchObject({
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: [
            { sanType: 3, matcher: { matchPattern: { case: 'exact', value: 'spiffe://m/ns/d/sa/a' } } },
          ],
        },
        validationContextSdsSecretConfig: { name: 'ROOTCA' },
      },
    });
  });

  it('is told which name the certificate of a server outside the mesh must have, since it compares none by itself', async () => {
    const sans = async (cluster: string): Promise<unknown> =>
      (await tlsSeen(node(), cluster))?.validationContextType.value;
    expect(await sans('named')).toMatchObject({
      matchTypedSubjectAltNames: [
        { sanType: 2, matcher: { matchPattern: { case: 'exact', value: 'api.example.org' } } },
      ],
    });
    // Nothing says whom to expect, so nobody is.
    expect(await sans('nameless')).toMatchObject({
      matchTypedSubjectAltNames: [{ sanType: 2, matcher: { matchPattern: { case: 'exact', value: '' } } }],
    });
  });

  it('takes its certificate from where its metadata says, and never from here', async () => {
    const files = await tlsSeen(node({ certificate: { certificateFile: '/c', keyFile: '/k' } }));
    expect(files).toMatchObject({
      tlsCertificates: [{ certificateChain: { specifier: { case: 'filename', value: '/c' } } }],
      tlsCertificateSdsSecretConfigs: [],
    });
    const agent = await tlsSeen(node({ certificate: { sdsCluster: 'agent' } }));
    expect(agent).toMatchObject({
      tlsCertificateSdsSecretConfigs: [
        {
          name: 'default',
          sdsConfig: {
            configSourceSpecifier: {
              case: 'apiConfigSource',
              value: { grpcServices: [{ targetSpecifier: { value: { clusterName: 'agent' } } }] },
            },
          },
        },
      ],
    });
    const rootsOf = (seen: Awaited<ReturnType<typeof tlsSeen>>): string | undefined =>
      seen?.validationContextType.case === 'combinedValidationContext'
        ? seen.validationContextType.value.validationContextSdsSecretConfig?.sdsConfig?.configSourceSpecifier
            .case
        : undefined;
    expect(rootsOf(agent)).toBe('ads');
    expect(rootsOf(await tlsSeen(node({ certificate: { sdsCluster: 'agent', roots: true } })))).toBe(
      'apiConfigSource',
    );
    expect(await tlsSeen(node())).toMatchObject({ tlsCertificates: [], tlsCertificateSdsSecretConfigs: [] });
    const wrong = connect();
    wrong.send(deltaRequest({ typeUrl: CLUSTER, node: node({ certificate: 'x' }) }));
    await expect(wrong.next()).rejects.toThrow(/PERMISSION_DENIED.*metadata\/certificate must be/);
  });

  it.each(['ads', 'sds'] as const)(
    'gets the roots over %s, and the next ones when they rotate',
    async (over) => {
      const stream = connect(over);
      stream.send(
        deltaRequest({ typeUrl: SECRET, node: node(), resourceNamesSubscribe: ['ROOTCA', 'default'] }),
      );
      const first = await stream.next();
      expect(first.typeUrl).toBe(SECRET);
      expect(first.removedResources).toEqual(['default']);
      expect(open<Secret>(first.resources[0]?.resource)).toMatchObject({
        name: 'ROOTCA',
        type: { case: 'validationContext', value: { trustedCa: { specifier: { value: 'one\n' } } } },
      });
      stream.send(deltaRequest({ typeUrl: SECRET, responseNonce: first.nonce }));
      bundles = [
        { trustDomain: 'm', rootsPem: ['one\n', 'two'], generation: 2 },
        { trustDomain: 'b', rootsPem: ['far'], generation: 1 },
      ];
      announce();
      const second = await stream.next();
      const secret = open<Secret>(second.resources[0]?.resource);
      expect(secret).toMatchObject({
        type: {
          case: 'validationContext',
          value: { customValidatorConfig: { name: 'envoy.tls.cert_validator.spiffe' } },
        },
      });
      expect(second.resources[0]?.version).not.toBe(first.resources[0]?.version);
    },
  );

  it.each(['ads', 'sds'] as const)('gets the roots over %s in the state of the world too', async (over) => {
    const stream = openRaw(
      target,
      over === 'ads'
        ? grpcService(AggregatedDiscoveryService).streamAggregatedResources
        : grpcService(SecretDiscoveryService).streamSecrets,
    );
    const ask = (fields: MessageInitShape<typeof DiscoveryRequestSchema>): void =>
      stream.send(create(DiscoveryRequestSchema, { typeUrl: SECRET, ...fields }));
    ask({ node: node(), resourceNames: ['default', 'ROOTCA'] });
    const first = await stream.next();
    expect(first.resources.map((any) => open<Secret>(any).name)).toEqual(['ROOTCA']);
    ask({ resourceNames: ['default', 'ROOTCA'], responseNonce: first.nonce, versionInfo: first.versionInfo });
    bundles = [{ trustDomain: 'm', rootsPem: ['two\n'], generation: 2 }];
    announce();
    const second = await stream.next();
    expect(second.versionInfo).not.toBe(first.versionInfo);
    expect(open<Secret>(second.resources[0])).toMatchObject({
      type: { value: { trustedCa: { specifier: { value: 'two\n' } } } },
    });
    stream.close();
  });

  it('must prove who it is before it is told whom the mesh believes', async () => {
    const stream = connect('sds');
    stream.send(
      deltaRequest({ typeUrl: SECRET, node: { id: 'somebody' }, resourceNamesSubscribe: ['ROOTCA'] }),
    );
    await expect(stream.next()).rejects.toThrow(/PERMISSION_DENIED.*does not agree/);
  });
});

describe("Tulle's own data plane", () => {
  it('gets clusters as they are: it checks each endpoint by its own id', async () => {
    const common = await tlsSeen(node({}, ['dev.tulle.model']));
    expect(common).toMatchObject({
      tlsCertificateSdsSecretConfigs: [{ name: 'default' }],
      validationContextType: {
        value: { defaultValidationContext: { matchTypedSubjectAltNames: [] } },
      },
    });
    const outside = await tlsSeen(node({}, ['dev.tulle.model']), 'named');
    const matcher = { matchPattern: { case: 'exact', value: 'api.example.org' } };
    expect(outside).toMatchObject({
      validationContextType: { value: { matchTypedSubjectAltNames: [{ matcher }] } },
    });
  });
});
