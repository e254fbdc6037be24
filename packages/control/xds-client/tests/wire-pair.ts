import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { ConfigIssue } from '@tulle/filter';
import type { ProxyConfig } from '@tulle/model';
import {
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  ResourceSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import {
  type AckReport,
  createComparer,
  createDeltaStream,
  createResourceEncoder,
  type DeltaResponse,
  type DeltaStream,
  type ResourceKind,
  type Snapshot,
  stateOfTheWorldProtocol,
  type StreamRequest,
} from '@tulle/xds-server';
import { createResourceDecoder } from '../src/decode/resource.ts';
import { createStateOfTheWorld } from '../src/client/state-of-the-world.ts';
import type { ClientRequest, ServerResponse } from '../src/session/messages.ts';
import type { Session } from '../src/session/contract.ts';
import { createSession } from '../src/session/session.ts';
import { emptyStore } from '../src/session/store.ts';
import { kindOfTypeUrl, type ResourceKind as ClientKind, TYPE_URLS } from '../src/wire.ts';
import { config } from './fixtures.ts';

/** Both state machines, and between them two queues that a test moves message by message. */
export interface WirePair {
  readonly session: Session;
  /** In the order in which the engine took them. */
  readonly configs: ProxyConfig[];
  readonly reports: AckReport[];
  /** Called when the server finds that the client has everything of a kind, up to a change. */
  upToDate: (kind: ResourceKind, changeId: string) => void;
  readonly abandoned: string[];
  time: number;
  publish(changeId: string, next: ProxyConfig): void;
  /** Moves the oldest message; `false` when there is none. */
  toServer(): boolean;
  toClient(): boolean;
  /** The engine takes what it was offered, or refuses it; `false` when it was offered nothing. */
  engine(): boolean;
  /** What the engine refuses, by path. Default nothing. */
  judge: (config: ProxyConfig) => readonly ConfigIssue[];
  /** The stream breaks with everything that is under way, and another one opens. */
  reset(): void;
  /** Moves until nothing is left to move. */
  settle(): void;
  /** Responses sent so far, also by earlier streams. */
  readonly sent: DeltaResponse[];
}

/**
 * @param atomic whether the server marks its responses, as for a Tulle client; else as for any other
 * @param stateOfTheWorld whether the two speak that protocol, in its own messages
 */
export function wirePair({
  atomic = true,
  stateOfTheWorld = false,
}: { atomic?: boolean; stateOfTheWorld?: boolean } = {}): WirePair {
  const comparer = createComparer(createResourceEncoder(), 1 << 20);
  const decoder = createResourceDecoder();
  let snapshot: Snapshot = { changeId: 'c0', config: config({}) };
  /** What is under way: read when it arrives. */
  let requests: (() => StreamRequest | undefined)[] = [];
  let responses: (() => ServerResponse)[] = [];
  // Of the stream that is open.
  let client = createStateOfTheWorld();
  let protocol = stateOfTheWorldProtocol('test');
  let offered: ProxyConfig | undefined;
  let server: DeltaStream;

  function newServer(): DeltaStream {
    return createDeltaStream({
      atomic,
      stateOfTheWorld,
      comparer,
      limits: {
        maxSubscriptions: 100,
        maxOutstanding: 100,
        maxResponseBytes: 200,
        ackTimeoutMs: 60_000,
        dependencyWaitMs: 0,
      },
      current: () => snapshot,
      send(response) {
        responses.push(stateOfTheWorld ? overTheWire(response) : () => read(response));
        pair.sent.push(response);
      },
      report: (report) => pair.reports.push(report),
      upToDate: (kind, changeId) => pair.upToDate(kind, changeId),
      nowMs: () => pair.time,
      epochMs: () => pair.time,
    });
  }

  function overTheWire(response: DeltaResponse): () => ServerResponse {
    const bytes = protocol.write({ ...response, typeUrl: TYPE_URLS[response.kind] });
    return () => client.read(fromBinary(DiscoveryResponseSchema, bytes));
  }

  function read(response: DeltaResponse): ServerResponse {
    return {
      typeUrl: TYPE_URLS[response.kind],
      nonce: response.nonce,
      changeId: response.changeId,
      last: response.last,
      removed: response.removed,
      resources: response.resources.map(({ bytes }) => {
        const { name, version, resource } = fromBinary(ResourceSchema, bytes);
        return { name, version, any: resource };
      }),
    };
  }

  function send(request: ClientRequest): void {
    if (stateOfTheWorld) {
      const message = client.write(request, undefined);
      if (!message) return;
      const bytes = toBinary(DiscoveryRequestSchema, message);
      requests.push(() => protocol.read(fromBinary(DiscoveryRequestSchema, bytes)));
    } else {
      const { error, ...rest } = request;
      const refused = error?.refusals.map(({ name }) => name) ?? [];
      requests.push(() => ({ ...rest, ...(error && { error: { message: error.message, refused } }) }));
    }
  }

  const session = createSession({
    decoder,
    initial: emptyStore(),
    maxResources: 1000,
    maxDemands: 100,
    warmingMs: 15_000,
    holdMs: 30_000,
    send,
    apply: (next) => (offered = next),
    accepted() {},
    refused() {},
    abandon: (reason) => pair.abandoned.push(reason),
    warn() {},
    nowMs: () => pair.time,
    epochMs: () => pair.time,
  });

  const pair: WirePair = {
    session,
    configs: [],
    reports: [],
    upToDate() {},
    judge: () => [],
    abandoned: [],
    sent: [],
    time: 0,
    publish(changeId, next) {
      snapshot = { changeId, config: next };
      server.changed();
    },
    toServer() {
      const arrived = requests.shift();
      const request = arrived?.();
      const kind = request && kindOfTypeUrl(request.typeUrl);
      if (kind && isServed(kind)) server.request({ ...request, kind });
      return arrived !== undefined;
    },
    toClient() {
      const arrived = responses.shift();
      if (arrived) session.response(arrived());
      return arrived !== undefined;
    },
    engine() {
      if (!offered) return false;
      const judged = offered;
      offered = undefined;
      const issues = pair.judge(judged);
      if (issues.length === 0) pair.configs.push(judged);
      session.applied(issues.length === 0 ? { ok: true } : { ok: false, issues });
      return true;
    },
    reset() {
      requests = [];
      responses = [];
      session.disconnected();
      client = createStateOfTheWorld();
      protocol = stateOfTheWorldProtocol('test');
      server = newServer();
      session.connected();
    },
    settle() {
      while (pair.toServer() || pair.toClient() || pair.engine());
    },
  };
  server = newServer();
  session.connected();
  return pair;
}

/** What Tulle's control plane has. */
function isServed(kind: ClientKind): kind is ResourceKind {
  return kind !== 'secret' && kind !== 'extension' && kind !== 'virtual-host';
}
