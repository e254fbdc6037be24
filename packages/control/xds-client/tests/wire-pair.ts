import { fromBinary } from '@bufbuild/protobuf';
import type { ProxyConfig } from '@tulle/model';
import { ResourceSchema } from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import {
  type AckReport,
  createComparer,
  createDeltaStream,
  createResourceEncoder,
  type DeltaResponse,
  type DeltaStream,
  type ResourceKind,
  type Snapshot,
} from '@tulle/xds-server';
import { createResourceDecoder } from '../src/decode/resource.ts';
import type { ClientRequest } from '../src/session/messages.ts';
import { createSession, type Session } from '../src/session/session.ts';
import { emptyStore } from '../src/session/store.ts';
import { kindOfTypeUrl, TYPE_URLS } from '../src/wire.ts';
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
  /** The engine takes what it was offered; `false` when it was offered nothing. */
  engine(): boolean;
  /** The stream breaks with everything that is under way, and another one opens. */
  reset(): void;
  /** Moves until nothing is left to move. */
  settle(): void;
  /** Responses sent so far, also by earlier streams. */
  readonly sent: DeltaResponse[];
}

/** @param atomic whether the server marks its responses, as for a Tulle client; else as for any other */
export function wirePair({ atomic = true }: { atomic?: boolean } = {}): WirePair {
  const comparer = createComparer(createResourceEncoder(), 1 << 20);
  const decoder = createResourceDecoder();
  let snapshot: Snapshot = { changeId: 'c0', config: config({}) };
  let requests: ClientRequest[] = [];
  let responses: DeltaResponse[] = [];
  let offered: ProxyConfig | undefined;
  let server: DeltaStream;

  function newServer(): DeltaStream {
    return createDeltaStream({
      atomic,
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
        responses.push(response);
        pair.sent.push(response);
      },
      report: (report) => pair.reports.push(report),
      upToDate: (kind, changeId) => pair.upToDate(kind, changeId),
      nowMs: () => pair.time,
      epochMs: () => pair.time,
    });
  }

  const session = createSession({
    decoder,
    initial: emptyStore(),
    maxResources: 1000,
    warmingMs: 15_000,
    holdMs: 30_000,
    send: (request) => requests.push(request),
    apply: (next) => (offered = next),
    accepted() {},
    refused() {},
    abandon: (reason) => pair.abandoned.push(reason),
    warn() {},
    nowMs: () => pair.time,
  });

  const pair: WirePair = {
    session,
    configs: [],
    reports: [],
    upToDate() {},
    abandoned: [],
    sent: [],
    time: 0,
    publish(changeId, next) {
      snapshot = { changeId, config: next };
      server.changed();
    },
    toServer() {
      const request = requests.shift();
      const kind = request && kindOfTypeUrl(request.typeUrl);
      if (!request || !kind) return request !== undefined;
      const { subscribe, unsubscribe, initialVersions, nonce, error } = request;
      server.request({
        kind,
        subscribe,
        unsubscribe,
        initialVersions,
        nonce,
        ...(error && { error: { message: error.message, refused: error.refusals.map(({ name }) => name) } }),
      });
      return true;
    },
    toClient() {
      const response = responses.shift();
      if (!response) return false;
      session.response({
        typeUrl: TYPE_URLS[response.kind],
        nonce: response.nonce,
        changeId: response.changeId,
        last: response.last,
        removed: response.removed,
        resources: response.resources.map(({ bytes }) => {
          const { name, version, resource } = fromBinary(ResourceSchema, bytes);
          return { name, version, any: resource };
        }),
      });
      return true;
    },
    engine() {
      if (!offered) return false;
      pair.configs.push(offered);
      offered = undefined;
      session.applied({ ok: true });
      return true;
    },
    reset() {
      requests = [];
      responses = [];
      session.disconnected();
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
