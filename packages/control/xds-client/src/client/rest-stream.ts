import { create, createRegistry, fromJson, toJson, type JsonValue } from '@bufbuild/protobuf';
import { StructSchema } from '@bufbuild/protobuf/wkt';
import type { Backoff } from '@tulle/time';
import {
  type DiscoveryRequest,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
  DiscoveryRequestSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { type Status, StatusSchema } from '@tulle/xds-proto/google/rpc/status';
import type { DiscoverySource } from '../decode/discovery-source.ts';
import { resourceTypes } from '../decode/resource.ts';
import type { ClientRequest } from '../session/messages.ts';
import { kindOfTypeUrl, REST_PATHS } from '../wire.ts';
import { createOutageLog } from './outage-log.ts';
import { type Exchange, post } from './rest-call.ts';
import type { SideStream, SideStreamOptions } from './side-streams.ts';
import { createStateOfTheWorld } from './state-of-the-world.ts';

/** What wanted names that came together are asked for with, in one request. */
const GATHER_MS = 10;
/** `google.rpc.Code.INVALID_ARGUMENT`. */
const INVALID_ARGUMENT = 3;

/**
 * A type of resources that is polled over HTTP (Envoy `api_config_source` REST; xDS, "REST-JSON polling subscriptions"): each request says
 * what was taken of the answer before it, or why it was refused. What cannot be had, or is no answer, is asked for again ever more
 * slowly, and what is in use stays.
 */
export function createRestStream(
  source: Extract<DiscoverySource, { kind: 'rest' }>,
  typeUrl: string,
  options: SideStreamOptions,
  backoff: Backoff,
): SideStream {
  const { clock, log } = options;
  const world = createStateOfTheWorld();
  const outages = createOutageLog(log, () => clock.nowMs());
  const kind = kindOfTypeUrl(typeUrl);
  const path = kind && REST_PATHS[kind];
  const server = `cluster ${source.cluster}`;
  let request: DiscoveryRequest | undefined;
  /** Of the server; those of the stream are counted, as few servers give any. */
  let serverNonce = '';
  let answers = 0;
  /** The last answer, and for which names. */
  let last = '';
  let lastNames = '';
  let place = 0;
  let exchange: Exchange | undefined;
  let fault: string | undefined = 'not answered yet';
  /** Why the last answer was not taken. */
  let refusal: string | undefined;
  /** What is said of an answer that none can be read of. */
  let malformed: Status | undefined;
  /** Something more is wanted, and was not asked for. */
  let wanting = false;
  let closed = false;
  let cancel = (): void => {};

  function soon(delayMs: number): void {
    cancel();
    if (!closed) cancel = clock.setTimer(delayMs, poll);
  }

  function poll(): void {
    exchange?.cancel();
    exchange = undefined;
    if (closed || request === undefined) return;
    const { http, targets = [] } = options.server({ cluster: source.cluster }) ?? {};
    if (path === undefined) return lose(`nobody gives a ${typeUrl} over REST`);
    if (http === undefined || targets.length === 0) return lose(`there is no ${server} to ask`);
    const { versionInfo, resourceNames, errorDetail = malformed } = request;
    const asked = create(DiscoveryRequestSchema, {
      typeUrl,
      versionInfo,
      resourceNames,
      node: options.node(),
      responseNonce: serverNonce,
      ...(errorDetail && { errorDetail }),
    });
    const names = request.resourceNames.toSorted().join('\n');
    let mine: Exchange;
    try {
      mine = post(http(place), path, jsonOf(asked), source.timeoutMs, {
        done(status, body) {
          if (exchange !== mine) return;
          exchange = undefined;
          if (status === 304) return found();
          if (status !== 200) return lose(`${status} ${body.slice(0, 200)}`.trim());
          if (body === last && names === lastNames) return found();
          take(body, names);
        },
        failed(reason) {
          if (exchange !== mine) return;
          exchange = undefined;
          lose(reason);
        },
      });
    } catch (error) {
      // A file that is not there, or not whole as it is being replaced; a name that no field can have.
      return lose(error instanceof Error ? error.message : String(error));
    }
    exchange = mine;
  }

  function take(body: string, names: string): void {
    let response: DiscoveryResponse;
    try {
      response = fromJson(DiscoveryResponseSchema, JSON.parse(body) as JsonValue, {
        registry: resourceTypes,
      });
      if (response.typeUrl !== '' && response.typeUrl !== typeUrl)
        throw new Error(`the answer has the type ${response.typeUrl}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // Told with the next request: there is no resource that could be refused.
      malformed = create(StatusSchema, { code: INVALID_ARGUMENT, message: reason.slice(0, 500) });
      return lose(reason);
    }
    last = body;
    lastNames = names;
    serverNonce = response.nonce;
    const nonce = String(++answers);
    found();
    options.response({ ...world.read({ ...response, typeUrl, nonce }), source });
  }

  function found(): void {
    fault = undefined;
    malformed = undefined;
    backoff.reset();
    outages.found(server);
    soon(source.refreshMs);
  }

  function lose(reason: string): void {
    fault = reason;
    place++;
    const delayMs = Math.max(source.refreshMs, backoff.next());
    outages.lost(server, reason, delayMs);
    soon(delayMs);
  }

  return {
    send(given: ClientRequest) {
      const isFirst = request === undefined;
      const written = world.write(given, undefined);
      request = written ?? request;
      if (given.nonce === '') wanting ||= isFirst || given.subscribe.length > 0;
      else refusal = given.error?.message;
      // What is wanted is asked for now, as soon as the answer before is judged; what was taken is said with the next request.
      if (!wanting || written === undefined) return;
      wanting = false;
      soon(isFirst ? 0 : GATHER_MS);
    },
    close() {
      closed = true;
      cancel();
      exchange?.cancel();
    },
    get fault() {
      return fault ?? refusal;
    },
  };
}

/** What a refusal says beside its text. */
const DETAILS = createRegistry(StructSchema);

/** Names of fields as the protos have them, as Envoy writes them: plain servers look for nothing else. */
const jsonOf = (request: DiscoveryRequest): string =>
  JSON.stringify(toJson(DiscoveryRequestSchema, request, { registry: DETAILS, useProtoFieldName: true }));
