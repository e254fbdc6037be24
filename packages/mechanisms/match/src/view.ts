import type { Headers, RequestHead } from '@tulle/filter';

/**
 * What matching reads of a request; the engine's `stream.request` is one. Read-only, so a dry run can make one from
 * plain data.
 */
export interface MatchView extends Readonly<Pick<RequestHead, 'authority' | 'method' | 'path' | 'query'>> {
  readonly headers: Headers;
}
