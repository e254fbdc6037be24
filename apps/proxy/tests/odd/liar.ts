import { create } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  type Resource,
  ResourceSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { grpcService } from '@tulle/xds-proto/grpc';

/** What a client said to a response: nothing against it, or why it refuses. */
export type Verdict = { readonly taken: true } | { readonly taken: false; readonly message: string };

/** A server that sends whatever it is told to. */
export interface Liar {
  readonly target: string;
  /** How many streams were opened. */
  readonly streams: number;
  /** The stream there is. */
  call(): ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
  /** Resolves when a client has asked for listeners on the stream that is opened next, or is open. */
  opened(after?: number): Promise<void>;
  /** Sends resources, and waits for the answer. */
  send(typeUrl: string, resources: readonly Resource[], removed?: readonly string[]): Promise<Verdict>;
  /** Sends a message as it is. */
  write(message: DeltaDiscoveryResponse): void;
  close(): void;
}

export const named = (name: string, any: Any, version: string): Resource =>
  create(ResourceSchema, { name, version, resource: any });

export async function startLiar(): Promise<Liar> {
  const server = new Server({ 'grpc.max_send_message_length': -1 });
  const { deltaAggregatedResources } = grpcService(AggregatedDiscoveryService);
  const waiting = new Map<string, (verdict: Verdict) => void>();
  const asked = new Set<() => void>();
  let current: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> | undefined;
  let streams = 0;
  let ready = 0;
  let nonces = 0;
  server.addService(
    { deltaAggregatedResources },
    {
      deltaAggregatedResources(call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>) {
        streams++;
        const mine = streams;
        current = call;
        call.on('data', ({ typeUrl, responseNonce, errorDetail }: DeltaDiscoveryRequest) => {
          if (responseNonce === '' && typeUrl.endsWith('.Listener')) {
            ready = mine;
            for (const tell of asked) tell();
          }
          waiting.get(responseNonce)?.(
            errorDetail ? { taken: false, message: errorDetail.message } : { taken: true },
          );
          waiting.delete(responseNonce);
        });
        call.on('error', () => {});
        call.on('end', () => call.end());
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    target: `127.0.0.1:${port}`,
    get streams() {
      return streams;
    },
    call: () => current as NonNullable<typeof current>,
    opened: async (after = 0) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (ready <= after) return;
          asked.delete(look);
          resolve();
        };
        asked.add(look);
        look();
      }),
    send: async (typeUrl, resources, removed = []) =>
      new Promise((resolve) => {
        const nonce = `n${++nonces}`;
        waiting.set(nonce, resolve);
        current?.write(
          create(DeltaDiscoveryResponseSchema, {
            typeUrl,
            nonce,
            resources: [...resources],
            removedResources: [...removed],
          }),
        );
      }),
    write: (message) => void current?.write(message),
    close: () => server.forceShutdown(),
  };
}
