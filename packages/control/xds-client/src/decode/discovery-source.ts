import type { NamedKind, XdsApi } from '../wire.ts';

/** Where a resource is discovered (Envoy `config.core.v3.ConfigSource`). */
export type DiscoverySource =
  /** The one aggregated stream. */
  | { readonly kind: 'ads' }
  /** A stream of its own for each type of resource (`api_config_source`). */
  | { readonly kind: 'grpc'; readonly server: GrpcServerName; readonly api: XdsApi }
  /** Polled over HTTP, each type of resource by itself (`api_config_source` REST). */
  | {
      readonly kind: 'rest';
      /** A static one. */
      readonly cluster: string;
      /** From an answer to the next request. */
      readonly refreshMs: number;
      readonly timeoutMs: number;
    }
  /** A file that holds a `DiscoveryResponse`, read again when it is replaced (`path_config_source`). */
  | {
      readonly kind: 'file';
      /** Absolute, or relative to the directory in which the proxy was started. */
      readonly path: string;
      /** Changes are looked for in this directory, not in that of the file. */
      readonly watchedDirectory?: string;
    };

/** A server by the name of a cluster (`envoy_grpc`) or by address (`google_grpc`, plain text). */
export type GrpcServerName = { readonly cluster: string } | { readonly target: string };

/** Something that a resource names, and where it is to be had. */
export interface Need {
  readonly kind: NamedKind;
  readonly name: string;
  readonly source: DiscoverySource;
  /** How long to wait for it, 0 without end; absent: as long as the client waits for any (Envoy `initial_fetch_timeout`). */
  readonly timeoutMs?: number;
  /** False: what names it does without until it comes. Default true. */
  readonly awaited?: false;
  /** Of scopes: where the routes come from that they name. */
  readonly routes?: { readonly source: DiscoverySource; readonly timeoutMs?: number };
}

/** A source as text, by which the engine hands it back. */
export function sourceText(source: DiscoverySource): string {
  return source.kind === 'ads' ? 'ads' : JSON.stringify(source);
}

/** What {@link sourceText} was made of. */
export function sourceOf(text: string): DiscoverySource {
  return text === 'ads' ? { kind: 'ads' } : (JSON.parse(text) as DiscoverySource);
}

/** Same text for the same source. */
export function sourceKey(source: DiscoverySource): string {
  switch (source.kind) {
    case 'ads':
      return 'ads';
    case 'grpc':
      return `${source.api} ${serverKey(source.server)}`;
    case 'rest':
      return `rest ${source.cluster} ${source.refreshMs} ${source.timeoutMs}`;
    case 'file':
      return `file ${source.path} ${source.watchedDirectory ?? ''}`;
  }
}

export function serverKey(server: GrpcServerName): string {
  return 'cluster' in server ? `cluster ${server.cluster}` : `target ${server.target}`;
}
