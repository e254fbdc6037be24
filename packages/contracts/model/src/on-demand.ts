/** Clusters that are looked for when a request goes to one that is not there (Envoy `OnDemandCds`). */
export interface OnDemandClusters {
  /** Where they are looked for: `ads`, or what the client of the control plane made of another source. */
  readonly source: string;
  /** How long a request waits for one. Default 5,000 (Envoy `OnDemandCds.timeout`). */
  readonly timeoutMs?: number;
}

/** What requests of a handler may wait for (Envoy's filter `envoy.filters.http.on_demand`). */
export interface OnDemand {
  /** Default: none. Virtual hosts are asked for wherever the route configuration says `discoversHosts`. */
  readonly clusters?: OnDemandClusters;
}

/** What a request waits for; plain data, handed to whoever speaks with the control plane. */
export type Demand =
  | {
      readonly kind: 'cluster';
      readonly name: string;
      readonly source: string;
      readonly timeoutMs: number;
    }
  | {
      readonly kind: 'virtual-host';
      /** Name of the route configuration that has none for the host. */
      readonly routes: string;
      /** Lower case; with its port where the request says one. */
      readonly host: string;
    };

/** Looks for what a request waits for. Resolves when it is in use, when there is none, or when that takes too long; never rejects. */
export type Discover = (demand: Demand) => Promise<void>;
