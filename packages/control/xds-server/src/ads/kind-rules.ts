import type { ResourceKind, Snapshot } from '../provider.ts';
import { ADD_ORDER, REMOVE_ORDER } from '../wire.ts';
import { type Named, resourcesOf } from './differences.ts';

/** What a stream's state machine knows of kinds of resources, and of the snapshots that they come in. */
export interface KindRules<Kind extends string, Shot> {
  /** Kinds that there are from the begin, in the order of additions. Others come with a client's requests. */
  readonly known: readonly Kind[];
  /**
   * Additions of a stage are sent when those of the stages before are answered; within a stage none waits for another,
   * because clients answer some only when they have what these point at (Envoy a cluster, when it is warm).
   */
  stage(kind: Kind): number;
  /** Removals go after all additions, one kind at a time, the lowest rank first: first what points, then what is pointed at. */
  removalRank(kind: Kind): number;
  /** Whether a first request without names means all. */
  allByDefault(kind: Kind): boolean;
  /**
   * Whether a name stands for all that begin with it and a slash, too, and a client is told by a resource without content that there
   * is none of the name that it asked for (Envoy, "Virtual Host Discovery Service"). Absent: of no kind.
   */
  namespaces?(kind: Kind): boolean;
  /** State of the world: whether each response holds all, so that what is not in it is gone. */
  whole(kind: Kind): boolean;
  /**
   * Whether what is gone of a kind goes in the response in which others of it come, since a client refuses what two of them have alike
   * (Envoy: the key of a scope may move to another). Absent: of no kind.
   */
  swaps?(kind: Kind): boolean;
  /** Whether resources of the kind point at others: while a client refuses one, nothing is taken away under it. */
  points(kind: Kind): boolean;
  /** Whether what is gone of a kind stays with a client for as long as it asks for it by name. Absent: nothing does. */
  keepsNamed?(kind: Kind): boolean;
  /**
   * What is there of the other kinds follows from what a client asks for of this one, so that they are answered after it: a stream
   * that begins again may ask for all kinds in any order. Absent: it does not.
   */
  readonly root?: Kind;
  readonly cluster: Kind;
  readonly endpoint: Kind;
  /** Clusters whose endpoints are resources of their own in this snapshot, with the names of these. */
  discovered(snapshot: Shot): Iterable<{ readonly cluster: string; readonly endpoints: string }>;
  /** What leads to what in a snapshot. Absent where clients ask for all that they need before they answer. */
  leads?(snapshot: Shot): Iterable<Lead<Kind>>;
  resources(snapshot: Shot, kind: Kind): readonly Named[];
}

/** A resource that names another: a client that takes the one is about to ask for the other. */
export interface Lead<Kind extends string> {
  readonly kind: Kind;
  readonly name: string;
  readonly to: { readonly kind: Kind; readonly name: string };
}

const STAGES: Readonly<Record<ResourceKind, number>> = { cluster: 0, endpoint: 0, listener: 1, route: 2 };

/** The data-plane model's. */
export const MODEL_RULES: KindRules<ResourceKind, Snapshot> = {
  known: ADD_ORDER,
  stage: (kind) => STAGES[kind],
  removalRank: (kind) => REMOVE_ORDER.indexOf(kind),
  allByDefault: (kind) => kind === 'listener' || kind === 'cluster',
  whole: (kind) => kind === 'listener' || kind === 'cluster',
  points: (kind) => kind === 'listener' || kind === 'route',
  cluster: 'cluster',
  endpoint: 'endpoint',
  *discovered({ config }) {
    for (const { name, discovery } of config.clusters)
      if (discovery.kind === 'eds') yield { cluster: name, endpoints: discovery.serviceName ?? name };
  },
  resources: resourcesOf,
};

/**
 * For clients that answer a listener before they ask for its routes, and ask by name for the clusters that routes lead to: when
 * they have left one, they say so. (grpc-js asks for a cluster that it left until its next change, and does not believe that one
 * is there again that it was told is gone.)
 */
export const BY_NAME_RULES: KindRules<ResourceKind, Snapshot> = {
  ...MODEL_RULES,
  root: 'listener',
  keepsNamed: (kind) => kind === 'cluster' || kind === 'endpoint',
  *leads({ config }) {
    for (const { name, filterChains } of config.listeners)
      for (const { handler } of filterChains)
        if (handler.kind === 'http' && 'routeConfigName' in handler.routes)
          yield { kind: 'listener', name, to: { kind: 'route', name: handler.routes.routeConfigName } };
  },
};
