/** What a page answers. */
export interface AdminReply {
  readonly status?: number;
  readonly contentType?: string;
  /** Whether another `Accept` might have been answered otherwise. */
  readonly varies?: boolean;
  readonly body: string | Iterable<string>;
}

/** One page of the admin interface. Changes take POST, so that no link or prefetch makes one. */
export interface AdminPageEntry {
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly help: string;
  /** @param accept the request's header of that name @param body what a POST brought */
  reply(query: URLSearchParams, accept: string | undefined, body: string): AdminReply | Promise<AdminReply>;
}
