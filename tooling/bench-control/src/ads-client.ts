import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type SecureClientSessionOptions,
} from 'node:http2';
import { create, toBinary } from '@bufbuild/protobuf';
import { NodeSchema } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { ProxyDescription } from './mesh.ts';
import { Messages, readResponse, type Response, TYPES, writeRequest } from './wire.ts';

/** What a simulated proxy tells of. */
export interface AdsClientEvents {
  /** @param bytes of its message, as the server wrote it */
  response(response: Response, bytes: number): void;
  ended(reason: string): void;
}

/** The filters of a sidecar, by which policies are judged. */
const FILTERS = [
  'tulle.http.authz',
  'tulle.conn.authz',
  'tulle.http.retry',
  'tulle.http.fault',
  'tulle.http.headers',
];

/**
 * A proxy of Tulle's as the control plane sees it: a connection of its own over mutual TLS, one delta ADS stream, the same
 * questions in the same order, each response answered at once. What it gets it counts and forgets.
 */
export class AdsClient {
  readonly #session: ClientHttp2Session;
  readonly #call: ClientHttp2Stream;
  readonly #events: AdsClientEvents;
  readonly #routes: readonly string[];
  readonly #asked = new Set<string>();
  #over = false;

  constructor(
    address: string,
    tls: SecureClientSessionOptions,
    spiffeId: string,
    { instance, metadata, routes }: ProxyDescription,
    events: AdsClientEvents,
  ) {
    this.#events = events;
    this.#routes = routes;
    this.#session = connect(`https://${address}`, tls);
    this.#session.on('error', (error: Error) => this.#end(error.message));
    this.#call = this.#session.request({
      ':method': 'POST',
      ':path': '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    this.#call.on('error', (error: Error) => this.#end(error.message));
    this.#call.on('trailers', (trailers: Record<string, unknown>) =>
      this.#end(`status ${String(trailers['grpc-status'])}: ${String(trailers['grpc-message'])}`),
    );
    this.#call.on('close', () => this.#end('closed'));
    const messages = new Messages();
    this.#call.on('data', (chunk: Buffer) => {
      for (const message of messages.take(chunk)) this.#take(message);
    });
    const node = toBinary(
      NodeSchema,
      create(NodeSchema, {
        id: `${spiffeId}~${instance}`,
        cluster: String(metadata['workload']),
        metadata: metadata as never,
        userAgentName: 'tulle-bench-control',
        clientFeatures: ['dev.tulle.atomic-changes', 'dev.tulle.model', 'xds.config.supports-resource-ttl'],
        extensions: FILTERS.map((name) => ({ name })),
      }),
    );
    this.#call.write(writeRequest({ typeUrl: TYPES.cluster, node }));
    this.#call.write(writeRequest({ typeUrl: TYPES.listener }));
  }

  close(): void {
    this.#over = true;
    this.#session.destroy();
  }

  #take(message: Buffer): void {
    const response = readResponse(message);
    this.#call.write(writeRequest({ typeUrl: response.typeUrl, nonce: response.nonce }));
    // As its resources lead it on: clusters to endpoints, listeners to routes.
    if (response.typeUrl === TYPES.cluster) this.#ask(TYPES.endpoint, response.names.filter(isOutbound));
    if (response.typeUrl === TYPES.listener) this.#ask(TYPES.route, this.#routes);
    this.#events.response(response, message.length);
  }

  #ask(typeUrl: string, names: readonly string[]): void {
    const subscribe = names.filter((name) => !this.#asked.has(`${typeUrl} ${name}`));
    for (const name of subscribe) this.#asked.add(`${typeUrl} ${name}`);
    if (subscribe.length > 0) this.#call.write(writeRequest({ typeUrl, subscribe }));
  }

  #end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#events.ended(reason);
  }
}

function isOutbound(name: string): boolean {
  return name.startsWith('outbound|');
}
