import type { RouteHeaderEdits } from './header-edits.ts';

/** Where copies of requests go: to a cluster by its name, or to one that each request names itself. */
export interface Mirror {
  readonly cluster?: string;
  /**
   * In place of `cluster`: a field of the request as it is sent that names the cluster; of a request which names none there is no
   * copy (Envoy `RequestMirrorPolicy.cluster_header`). Lower case.
   */
  readonly clusterHeader?: string;
  /** Share of the requests that are copied, percent. Default 100. */
  readonly percent?: number;
  /** Copies say `<host>-shadow` for their host, as Envoy's do unless told otherwise. Default false. */
  readonly shadowHost?: boolean;
  /** Copies say this for their host, as it stands. Default: that of their request, see `shadowHost`. */
  readonly host?: string;
  /** What is done to the fields of copies alone, one after the other (Envoy `request_headers_mutations`). Default nothing. */
  readonly edits?: readonly RouteHeaderEdits[];
}
