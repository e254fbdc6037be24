import { create, createRegistry, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Cluster, ProxyConfig } from '@tulle/model';
import { type Cluster as Message, ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import {
  ClusterLoadAssignmentSchema,
  type ClusterLoadAssignment,
} from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint';
import {
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { createResourceEncoder } from '../encode/resource.ts';
import type { AckReport } from '../provider.ts';
import { kindOfTypeUrl, TYPE_URLS } from '../wire.ts';
import { createDeltaStream, type DeltaStream } from './delta-stream.ts';
import { createComparer } from './differences.ts';
import { stateOfTheWorldProtocol, type StreamProtocol } from './messages.ts';

const registry = createRegistry(ClusterSchema, ClusterLoadAssignmentSchema);
const empty: ProxyConfig = { version: '', listeners: [], routes: [], clusters: [], endpoints: [] };
const cluster = (name: string, connectTimeoutMs = 1): Cluster => ({
  name,
  discovery: { kind: 'static', endpoints: [] },
  connectTimeoutMs,
});

let sent: DiscoveryResponse[];
let reports: AckReport[];
let config: ProxyConfig;
let changes: number;
let protocol: StreamProtocol<DiscoveryRequest>;
let stream: DeltaStream;
let late: number;

beforeEach(() => begin());

/** @param more what is not as the streams of most tests have it */
function begin(more: Partial<Parameters<typeof createDeltaStream>[0]> = {}): void {
  sent = [];
  reports = [];
  config = empty;
  changes = 1;
  late = 0;
  protocol = stateOfTheWorldProtocol('test');
  stream = createDeltaStream({
    atomic: false,
    stateOfTheWorld: true,
    comparer: createComparer(createResourceEncoder(), 10_000),
    limits: {
      maxSubscriptions: 10,
      maxOutstanding: 5,
      maxResponseBytes: 50,
      ackTimeoutMs: 60_000,
      dependencyWaitMs: 0,
    },
    current: () => ({ changeId: `c${changes}`, config }),
    send: (response) =>
      sent.push(
        fromBinary(
          DiscoveryResponseSchema,
          protocol.write({ ...response, typeUrl: TYPE_URLS[response.kind] }),
        ),
      ),
    report: (report) => reports.push(report),
    nowMs: () => 0,
    epochMs: () => 0,
    ...more,
  });
}

function ask(fields: MessageInitShape<typeof DiscoveryRequestSchema>): void {
  const message = create(DiscoveryRequestSchema, { typeUrl: TYPE_URLS.cluster, ...fields });
  const request = protocol.read(message);
  const kind = kindOfTypeUrl(message.typeUrl);
  if (request && kind) stream.request({ ...request, kind });
  else late++;
}

function answer(error?: string, resourceNames: string[] = []): void {
  const last = sent.at(-1);
  ask({
    resourceNames,
    typeUrl: last?.typeUrl ?? '',
    responseNonce: last?.nonce ?? '',
    ...(error !== undefined && { errorDetail: { message: error } }),
  });
}

function publish(next: Partial<ProxyConfig>): void {
  config = { ...empty, ...next };
  changes++;
  stream.changed();
}

/** Names in each response. */
const names = (): string[][] =>
  sent.map(({ resources }) =>
    resources.map((any: Any) => {
      const message = anyUnpack(any, registry) as Message | ClusterLoadAssignment;
      return 'clusterName' in message ? message.clusterName : message.name;
    }),
  );

describe('the state of the world', () => {
  it('holds all clusters each time, in one response however large, and leaves out what is gone', () => {
    config = { ...empty, clusters: [cluster('a'), cluster('b'), cluster('c')] };
    ask({});
    answer();
    publish({ clusters: [cluster('a'), cluster('b', 2), cluster('d')] });
    // First what is new, beside all that there was; what is gone goes last.
    expect(names().at(-1)?.sort()).toEqual(['a', 'b', 'c', 'd']);
    answer();
    expect(names().at(-1)?.sort()).toEqual(['a', 'b', 'd']);
    answer();
    expect(sent).toHaveLength(3);
    expect(sent.map(({ versionInfo }) => versionInfo)).toEqual(['c1', 'c2', 'c2']);
  });

  it('of none is an empty response, which a client waits for', () => {
    ask({});
    expect(names()).toEqual([[]]);
  });

  it('is not told of clusters before the listeners that lead to them are asked for, which a stream that begins again may do last', () => {
    // A gRPC program: what there is of clusters follows from its listeners.
    begin({
      byName: true,
      asked(kind) {
        if (kind === 'listener') config = { ...empty, clusters: [cluster('a')] };
      },
    });
    ask({ resourceNames: ['a', 'gone'] });
    stream.changed();
    expect(sent).toEqual([]);
    ask({ typeUrl: TYPE_URLS.listener, resourceNames: ['orders:80'] });
    expect(names()).toContainEqual(['a']);
  });

  it('blames a refusal on what was new, sends that no more until it changes, and counts it once it is taken', () => {
    config = { ...empty, clusters: [cluster('a')] };
    ask({});
    answer();
    publish({ clusters: [cluster('a'), cluster('b')] });
    answer('b is bad');
    expect(reports.at(-1)).toMatchObject({ ok: false, error: 'b is bad', resources: [{ name: 'b' }] });
    expect(stream.status().refused.map(({ name }) => name)).toEqual(['b']);
    expect(sent).toHaveLength(2);
    publish({ clusters: [cluster('a'), cluster('b', 2)] });
    answer();
    expect(names().at(-1)?.sort()).toEqual(['a', 'b']);
    expect(stream.status().refused).toEqual([]);
    expect(reports.at(-1)).toMatchObject({ ok: true });
  });

  it('is not moved by an answer to a response before the last', () => {
    config = { ...empty, clusters: [cluster('a')] };
    ask({});
    answer();
    publish({ clusters: [cluster('a', 2)] });
    ask({ responseNonce: sent[0]?.nonce ?? '', errorDetail: { message: 'late' }, resourceNames: ['x'] });
    expect([late, stream.status().outstanding, reports.length]).toEqual([1, 1, 1]);
  });

  it('follows what is named: all at first, then those, then those without some', () => {
    config = { ...empty, clusters: [cluster('a'), cluster('b')] };
    ask({});
    answer();
    ask({ responseNonce: sent[0]?.nonce ?? '', resourceNames: ['b'] });
    publish({ clusters: [cluster('a', 2), cluster('b', 2)] });
    expect(names().at(-1)).toEqual(['b']);
    expect(stream.status().subscriptions.cluster).toEqual({ wildcard: false, names: 1 });
  });

  it('of endpoints holds what is new alone, and says nothing of sets that there are not', () => {
    const set = (name: string, port: number): ProxyConfig['endpoints'][number] => ({
      name,
      endpoints: [{ address: { host: '10.0.0.1', port } }],
    });
    config = { ...empty, endpoints: [set('a', 1), set('b', 1)] };
    const typeUrl = TYPE_URLS.endpoint;
    const resourceNames = ['a', 'b', 'none'];
    ask({ typeUrl, resourceNames });
    answer(undefined, resourceNames);
    answer(undefined, resourceNames);
    publish({ endpoints: [set('a', 2), set('b', 1)] });
    expect(names()).toEqual([['a'], ['b'], ['a']]);
    answer(undefined, resourceNames);
    publish({ endpoints: [set('a', 2)] });
    expect(sent).toHaveLength(3);
    publish({ endpoints: [set('a', 2), set('b', 1)] });
    expect(names().at(-1)).toEqual(['b']);
  });
});
