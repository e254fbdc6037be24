import { FieldTable } from '@tulle/fields';
import { BODY_NONE, TARGET_ORIGIN, type BodyKind } from '@tulle/http1';
import { hasEscapedSlashes, normalizeHost, normalizePath } from '@tulle/match';
import type { Bytes } from '../bytes.ts';
import { beginOver } from '../chain/complete.ts';
import { requestData, requestEnd } from '../chain/request-body.ts';
import { slashesOf } from '../chain/escaped-slashes.ts';
import { beginAgain } from '../chain/walk.ts';
import type { CompiledInternalRedirect } from '../compile/compiled.ts';
import { isQuery } from '../stream/request-edits.ts';
import { REDIRECT_REFUSALS, SITE_REDIRECT, type RedirectRefusal } from '../stream/sites.ts';
import type { Stream } from '../stream/stream.ts';
import { bodyAtHand } from './repeat.ts';

/**
 * Redirects that are followed for the caller, as Envoy's router follows them ("HTTP routing", internal redirects): the stream of
 * the answer comes to its end, with its own record, and the request goes through the chain as one for the new place. Fields stay
 * as filters and routes left them. Whatever speaks against it, the answer goes to the caller.
 */

/** Where an answer leads. */
interface Place {
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly path: string;
  readonly query: string | undefined;
}

/** What the request is when it begins anew. */
export interface NextRequest extends Place {
  readonly method: string;
  readonly fields: FieldTable;
  readonly pieces: readonly Bytes[];
  readonly bodyKind: BodyKind;
  readonly length: number;
  readonly trailers: FieldTable | undefined;
  /** From which routes to which it was led, where those may be taken once only. */
  readonly redirectedBy: readonly string[];
}

/** @returns what the request becomes by its answer; `undefined`: the caller gets that */
export function redirectedTo(stream: Stream): NextRequest | undefined {
  const { status, route } = stream;
  const policy = route?.action.kind === 'forward' ? route.action.internalRedirect : null;
  if (policy === null || !policy.statuses.has(status)) return undefined;
  const next = nextOf(stream, policy);
  const refusal = typeof next === 'string' ? next : '';
  stream.note(SITE_REDIRECT, REDIRECT_REFUSALS.indexOf(refusal), status);
  stream.cluster?.metrics.internalRedirect(refusal === '' ? 'succeeded' : 'failed');
  return typeof next === 'string' ? undefined : next;
}

function nextOf(stream: Stream, policy: CompiledInternalRedirect): NextRequest | RedirectRefusal {
  if (!stream.requestReceived || !stream.requestEnded || stream.pendingHooks > 0) return 'request-not-whole';
  if (stream.upgrade !== undefined || stream.isConnect) return 'request-not-whole';
  if (!bodyAtHand(stream)) return 'body-not-kept';
  const place = placeOf(stream);
  if (place === undefined) return 'location';
  if (!takesScheme(stream, place, policy)) return 'scheme';
  if (stream.redirects >= policy.max) return 'limit';
  const fields = fieldsOf(stream, policy);
  const target = routeOf(stream, place, fields);
  if (target === undefined) return 'no-route';
  if (policy.routes !== null && !policy.routes.has(target)) return 'route';
  const { redirectedBy } = stream;
  if (!policy.newRoutes) return { ...place, ...bodyOf(stream), fields, redirectedBy };
  const step = `${stream.route?.name ?? ''}\n${target}`;
  if (redirectedBy.includes(step)) return 'route';
  return { ...place, ...bodyOf(stream), fields, redirectedBy: [...redirectedBy, step] };
}

/** `location`, where it is one URL as callers would write it. */
function placeOf(stream: Stream): Place | undefined {
  const lines = stream.responseFields.getAll('location');
  // Who it is that asks is no part of where (RFC 9110 §4.2.4), and a fragment is not sent.
  const match = /^(https?):\/\/(?:[^/?#@]*@)?([^/?#@]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?$/i.exec(lines[0] ?? '');
  if (lines.length !== 1 || match === null) return undefined;
  const [, scheme = '', host = '', given = '', query] = match;
  const authority = normalizeHost(host);
  const { settings } = stream.chain;
  // Who is to be sent to another spelling of a path gets the answer itself.
  if (settings.escapedSlashes === 'redirect' && hasEscapedSlashes(given)) return undefined;
  const path = normalizePath(given === '' ? '/' : given, slashesOf(settings));
  if (authority === '' || !path.startsWith('/') || (query !== undefined && !isQuery(query))) return undefined;
  return { scheme: scheme.toLowerCase() as Place['scheme'], authority, path, query };
}

function takesScheme(stream: Stream, { scheme }: Place, { schemes }: CompiledInternalRedirect): boolean {
  if (scheme === stream.scheme || schemes === 'any') return true;
  return schemes === 'safe' && scheme === 'http';
}

/** Fields of the request to come: without what filters of the attempt did to them. */
function fieldsOf(stream: Stream, { copyHeaders }: CompiledInternalRedirect): FieldTable {
  const fields = new FieldTable();
  fields.copyFrom(stream.savedFields ?? stream.headers);
  for (const name of copyHeaders) {
    fields.drop(name);
    for (const value of stream.responseFields.getAll(name)) fields.add(name, value);
  }
  const { scheme, authority, path, query } = stream;
  fields.put(
    'x-envoy-original-url',
    `${scheme}://${authority}${path}${query === undefined ? '' : `?${query}`}`,
  );
  return fields;
}

/** The route that would take it; `undefined`: none. */
function routeOf(stream: Stream, place: Place, headers: FieldTable): string | undefined {
  const { method, provenPeer, metadata, filterState } = stream;
  const { matcher } = stream.chain.place?.current ?? stream.chain;
  return matcher.match({
    ...place,
    method,
    headers,
    provenPeer,
    metadata,
    filterState,
    draw: () => stream.draw(),
  })?.name;
}

/** RFC 9110 §15.4.4: what a 303 leads to is asked for by GET. */
function bodyOf(stream: Stream): Pick<NextRequest, 'method' | 'pieces' | 'bodyKind' | 'length' | 'trailers'> {
  const { method, status, keptReplay, requestTrailers: trailers } = stream;
  if (status === 303 && method !== 'GET' && method !== 'HEAD')
    return { method: 'GET', pieces: [], bodyKind: BODY_NONE, length: -1, trailers: undefined };
  const pieces = keptReplay?.pieces ?? [];
  const { requestBodyKind: bodyKind, requestLength: length } = stream;
  return { method, pieces, bodyKind, length, trailers };
}

/** Its attempt is over. It goes on at the end of the turn: the codec is still at the answer's head. */
export function beginRedirected(stream: Stream, next: NextRequest): void {
  const { requestHead: head, requestId, clientAddress, http2, drawn, redirects, engine } = stream;
  stream.details = 'internal_redirect';
  // That its record has the status: nothing more of it is to come.
  stream.responseEnded = true;
  beginOver(stream);
  const { settings } = stream.chain;
  stream.http2 = http2;
  stream.idleTimeoutMs = settings.streamIdleTimeoutMs;
  stream.maxReplayBytes = settings.maxReplayBytes;
  stream.requestId = requestId;
  stream.clientAddress = clientAddress;
  stream.drawn = drawn;
  stream.redirects = redirects + 1;
  stream.redirectedBy = next.redirectedBy;
  head.fields.copyFrom(next.fields);
  head.targetForm = TARGET_ORIGIN;
  head.path = next.query === undefined ? next.path : `${next.path}?${next.query}`;
  head.queryIndex = next.path.length;
  head.authority = next.authority;
  stream.method = head.method = next.method;
  stream.requestBodyKind = head.bodyKind = next.bodyKind;
  stream.requestLength = head.contentLength = next.length;
  stream.toldScheme = next.scheme;
  stream.authority = next.authority;
  stream.originalPath = stream.path = next.path;
  stream.originalQuery = stream.query = next.query;
  const { generation } = stream;
  engine.turn.later({ endOfTurn: () => goOn(stream, generation, next) });
}

function goOn(stream: Stream, generation: number, { pieces, trailers }: NextRequest): void {
  const isOver = (): boolean => !stream.live || stream.generation !== generation;
  if (isOver()) return;
  try {
    beginAgain(stream);
    for (const piece of pieces) {
      if (isOver()) return;
      requestData(stream, piece, 0, piece.length, true);
    }
    if (!isOver()) requestEnd(stream, trailers);
  } catch (defect) {
    stream.engine.defect(stream, defect);
  }
}
