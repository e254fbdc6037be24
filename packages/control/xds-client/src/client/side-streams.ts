import type { ChannelOptions } from '@grpc/grpc-js';
import type { Log } from '@tulle/filter';
import { type BackoffOptions, type Clock, createBackoff } from '@tulle/time';
import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  type DiscoverySource,
  type GrpcServerName,
  serverKey,
  sourceKey,
} from '../decode/discovery-source.ts';
import type { ClientRequest, ServerResponse } from '../session/messages.ts';
import type { Channel } from './ads-call.ts';
import { createFileStream, type ParseFile } from './file-stream.ts';
import type { HttpServer } from './rest-call.ts';
import { createRestStream } from './rest-stream.ts';
import { createTypeStream } from './type-stream.ts';

/** Where a server other than that of the one stream is. */
export interface ServerAddress {
  /** `host:port` each; the next one is tried when one fails. */
  readonly targets: readonly string[];
  readonly channel: () => Channel;
  /** The same over HTTP, for what is polled. @param place counts up from 0 with each failure @throws Error for a file that cannot be read */
  readonly http?: (place: number) => HttpServer;
}

/** What streams beside the session's own one work with. */
export interface SideStreamOptions {
  /** @returns `undefined` where there is no such server (yet): asked again later */
  server(name: GrpcServerName): ServerAddress | undefined;
  readonly parseFile: ParseFile;
  readonly channelOptions: ChannelOptions;
  readonly backoff: BackoffOptions;
  readonly random: () => number;
  readonly clock: Clock;
  readonly log: Log | undefined;
  /** What a stream says first of who asks. */
  node(): Node;
  response(response: ServerResponse): void;
}

/** One stream of a type of resources from one source, which is opened again by itself. */
export interface SideStream {
  send(request: ClientRequest): void;
  close(): void;
  /** Why there is nothing from it; `undefined` while there is. */
  readonly fault: string | undefined;
}

/** All of them, by source and type. */
export interface SideStreams {
  /** @param source not `ads` */
  send(request: ClientRequest, source: SideSource): void;
  close(): void;
  /** What does not answer, and why, e.g. `cluster xds: refused`. */
  faults(): readonly string[];
}

/** Everything but the one stream. */
export type SideSource = Exclude<DiscoverySource, { readonly kind: 'ads' }>;

function nameOf(source: SideSource): string {
  if (source.kind === 'file') return `file ${source.path}`;
  return serverKey(source.kind === 'rest' ? { cluster: source.cluster } : source.server);
}

export function createSideStreams(options: SideStreamOptions): SideStreams {
  const streams = new Map<string, { readonly name: string; readonly stream: SideStream }>();

  function open(source: SideSource, typeUrl: string): SideStream {
    if (source.kind === 'file') return createFileStream(source, typeUrl, options);
    const { baseMs, maxMs } = options.backoff;
    const backoff = createBackoff({ baseMs, maxMs }, options.random);
    return source.kind === 'rest'
      ? createRestStream(source, typeUrl, options, backoff)
      : createTypeStream(source, typeUrl, options, backoff);
  }

  return {
    send(request, source) {
      const key = `${sourceKey(source)} ${request.typeUrl}`;
      const found = streams.get(key);
      if (found) return found.stream.send(request);
      const name = nameOf(source);
      const stream = open(source, request.typeUrl);
      streams.set(key, { name, stream });
      stream.send(request);
    },
    close() {
      for (const { stream } of streams.values()) stream.close();
      streams.clear();
    },
    faults: () =>
      [...streams.values()].flatMap(({ name, stream }) =>
        stream.fault === undefined ? [] : [`${name}: ${stream.fault}`],
      ),
  };
}
