import { FieldTable } from '@tulle/fields';
import {
  TulleError,
  type ClusterHealth,
  type Exchange,
  type ExchangeEvents,
  type ExchangeRequest,
  type FetchReply,
  type FetchRequest,
} from '@tulle/filter';
import { isValidMethod, isValidTarget } from '@tulle/http1';
import { normalizeHost } from '@tulle/match';
import { EMPTY_TABLE } from '../chain/tables.ts';
import type { ForwardTarget, HttpChain } from '../compile/compiled.ts';
import { withDeadline } from '../deadline.ts';
import type { Engine } from '../engine.ts';
import type { ClusterRef, ClusterRuntime } from '../upstream/cluster.ts';
import { ExchangeCall } from './exchange-call.ts';
import { FetchCall, type OutgoingCall } from './fetch-call.ts';
import { internalChain } from './internal-chain.ts';
import { Origins } from './origins.ts';
import type { OutgoingHead, OwnCall } from './own-call.ts';

/** A filter's calls under way, so that they end with it. */
export interface FetchOwner {
  readonly calls: Set<OwnCall>;
  readonly closed: boolean;
}

/** What `host.fetch` and `host.exchange` do: check the request, find the cluster, and send it the way that requests go. */
export class Fetcher {
  readonly #engine: Engine;
  readonly #chain: HttpChain;
  readonly #origins: Origins;
  readonly #cluster: (name: string) => ClusterRuntime | undefined;

  /** @param cluster the configured cluster of a name, as it is now */
  constructor(engine: Engine, cluster: (name: string) => ClusterRuntime | undefined) {
    this.#engine = engine;
    this.#cluster = cluster;
    this.#origins = new Origins(engine);
    this.#chain = internalChain(engine, 'fetch');
  }

  async fetch(request: FetchRequest, owner: FetchOwner): Promise<FetchReply> {
    const engine = this.#engine;
    const url = parseUrl(request.url);
    const call = outgoing(request, url);
    const { timeoutMs, cluster } = request;
    const endMs = engine.clock.nowMs() + timeoutMs;
    const ref: ClusterRef =
      cluster === undefined
        ? await this.#origin(url, owner, timeoutMs)
        : { name: cluster, current: this.#cluster(cluster) };
    if (owner.closed) throw disposed();
    const leftMs = endMs - engine.clock.nowMs();
    if (leftMs <= 0) throw tooLate(timeoutMs);
    return new Promise<FetchReply>((resolve, reject) => {
      const done =
        <T>(settle: (value: T) => void) =>
        (value: T): void => {
          owner.calls.delete(fetchCall);
          settle(value);
        };
      const fetchCall: FetchCall = new FetchCall(engine, call, done(resolve), done(reject));
      owner.calls.add(fetchCall);
      fetchCall.start(this.#chain, targetOf(ref), leftMs);
    });
  }

  exchange(request: ExchangeRequest, events: ExchangeEvents, owner: FetchOwner): Exchange {
    const { cluster, target, authority = 'localhost', method = 'POST', headers = [] } = request;
    const head = outgoingHead('exchange', { method, target, authority, headers });
    if (owner.closed) throw disposed();
    const ref: ClusterRef = { name: cluster, current: this.#cluster(cluster) };
    const way = { chain: this.#chain, target: targetOf(ref) };
    const call = new ExchangeCall(this.#engine, head, way, events, (over) => owner.calls.delete(over));
    owner.calls.add(call);
    return call.handle;
  }

  /** How many endpoints of a cluster are fit to be asked. */
  health(name: string): ClusterHealth | undefined {
    const cluster = this.#cluster(name);
    if (cluster === undefined) return undefined;
    const { endpoints } = cluster.own;
    // One that has not been checked yet is not fit either.
    const healthy = endpoints.filter(
      ({ check, ejected }) => check !== 'failed' && check !== 'pending' && !ejected,
    ).length;
    return { healthy, total: endpoints.length };
  }

  /** The filter is gone: its calls reject, hosts that only it called are let go. */
  release(owner: FetchOwner): void {
    for (const call of [...owner.calls]) call.cancel();
    this.#origins.release(owner);
  }

  close(): void {
    this.#origins.close();
  }

  async #origin(url: URL, owner: FetchOwner, timeoutMs: number): Promise<ClusterRef> {
    if (owner.closed) throw disposed();
    try {
      const current = await withDeadline(this.#engine, this.#origins.cluster(url, owner), timeoutMs, () =>
        tooLate(timeoutMs),
      );
      return { name: current.name, current };
    } catch (error) {
      if (error instanceof TulleError) throw error;
      throw new TulleError(
        'TULLE_UPSTREAM_NO_ENDPOINT',
        `${url.hostname} has no address: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
  }
}

function targetOf(ref: ClusterRef): ForwardTarget {
  return {
    kind: 'target',
    subset: undefined,
    name: 'fetch',
    cluster: ref.name,
    pattern: '',
    ref,
    named: undefined,
    weight: 1,
    host: '',
    table: EMPTY_TABLE,
    requestEdits: [],
    responseEdits: [],
  };
}

/** Only what can be sent as it stands: no credentials, no fragment. */
function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (
    url === null ||
    (url.protocol !== 'https:' && url.protocol !== 'http:') ||
    url.username !== '' ||
    url.password !== '' ||
    url.hash !== ''
  )
    throw invalid(
      `${JSON.stringify(text.slice(0, 200))} cannot be called: give an http:// or https:// URL without credentials and fragment`,
    );
  return url;
}

function outgoing(request: FetchRequest, url: URL): OutgoingCall {
  const { method = 'GET', headers = [], body, timeoutMs, maxBodyBytes } = request;
  const target = request.target ?? `${url.pathname}${url.search}`;
  const head = outgoingHead('fetch', { method, target, authority: request.authority ?? url.host, headers });
  if (!(timeoutMs > 0) || !(maxBodyBytes >= 0))
    throw invalid('timeoutMs must be more than 0 and maxBodyBytes at least 0');
  return { ...head, body: body === undefined ? undefined : Buffer.from(body), maxBodyBytes };
}

type Head = Required<Pick<ExchangeRequest, 'method' | 'target' | 'authority' | 'headers'>>;

function outgoingHead(from: string, { method, target, authority, headers }: Head): OutgoingHead {
  if (!isValidTarget(method, target))
    throw invalid(`${JSON.stringify(target.slice(0, 200))} is no path with a query`, from);
  if (normalizeHost(authority) === '') throw invalid(`${JSON.stringify(authority)} is no host`, from);
  const question = target.indexOf('?');
  if (!isValidMethod(method) || method === 'CONNECT')
    throw invalid(`${JSON.stringify(method)} is no method; give a token other than CONNECT`, from);
  const fields = new FieldTable();
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name === 'host')
      throw invalid('host is given as authority, or by the URL; leave it out of the headers', from);
    fields.append(name, headers[i + 1] ?? '');
  }
  return {
    method,
    path: question < 0 ? target : target.slice(0, question),
    query: question < 0 ? undefined : target.slice(question + 1),
    authority,
    fields,
  };
}

function invalid(message: string, from = 'fetch'): TulleError {
  return new TulleError('TULLE_CONFIG_INVALID', `${from}: ${message}.`);
}

function tooLate(timeoutMs: number): TulleError {
  return new TulleError('TULLE_REQUEST_TIMEOUT', `no address and no connection within ${timeoutMs} ms`);
}

function disposed(): TulleError {
  return new TulleError('TULLE_DRAINING', 'the filter that makes this call is disposed');
}
