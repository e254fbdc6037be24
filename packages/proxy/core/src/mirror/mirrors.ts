import type { FieldTable } from '@tulle/fields';
import type { Bytes } from '../bytes.ts';
import { namedTarget } from '../chain/route.ts';
import type { CompiledForward, CompiledMirror, HttpChain } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import { internalChain } from '../fetch/internal-chain.ts';
import type { MirrorFeed } from '../stream/mirror-feed.ts';
import type { Stream } from '../stream/stream.ts';
import { MirrorCall } from './mirror-call.ts';
import { MirrorMetrics } from './mirror-metrics.ts';

/** A copy lives at most so long where its route has no timeout: as Envoy's route timeout. */
const DEFAULT_TIMEOUT_MS = 15_000;

/** Copies of requests under way (Envoy `RequestMirrorPolicy`): sent and forgotten, bounded in number and bytes. */
export class Mirrors {
  readonly #engine: Engine;
  readonly #chain: HttpChain;
  readonly #metrics: MirrorMetrics;
  readonly #calls: Set<MirrorCall> = new Set<MirrorCall>();

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#chain = internalChain(engine, 'mirror');
    this.#metrics = new MirrorMetrics(engine.meter);
  }

  /** Sends copies of a request that every filter let pass and that is about to be sent itself. */
  start(original: Stream): void {
    const action = original.route?.action;
    if (action?.kind !== 'forward' || original.upgrade !== undefined || original.isConnect) return;
    // Those of a cluster are what the compiler made of them, too.
    const own = original.cluster?.policies?.mirrors as readonly CompiledMirror[] | null | undefined;
    const mirrors = own ?? action.mirrors;
    if (mirrors === null) return;
    const calls = mirrors.flatMap((mirror) => this.#mirror(original, action, mirror) ?? []);
    if (calls.length > 0) original.mirrors = new MirrorGroup(calls);
  }

  #mirror(original: Stream, action: CompiledForward, mirror: CompiledMirror): MirrorCall | undefined {
    const engine = this.#engine;
    if (mirror.percent < 100 && engine.random() * 100 >= mirror.percent) return undefined;
    // By the request as it is sent.
    const target = mirror.target.named === undefined ? mirror.target : namedTarget(original, mirror.target);
    if (target.ref.current === undefined) {
      this.#metrics.noCluster.add();
      return undefined;
    }
    if (this.#calls.size >= engine.limits.maxMirrors) {
      this.#metrics.tooMany.add();
      return undefined;
    }
    this.#metrics.requests.add();
    const call = new MirrorCall(engine, this.#metrics, (over) => this.#calls.delete(over));
    this.#calls.add(call);
    call.start(original, this.#chain, {
      target,
      authority: mirror.host ?? (mirror.shadowHost ? shadowOf(original.authority) : original.authority),
      edits: mirror.edits,
      timeoutMs: action.requestTimeoutMs > 0 ? action.requestTimeoutMs : DEFAULT_TIMEOUT_MS,
    });
    return call;
  }
}

/** `shop.example-shadow:8080` (Envoy), for services that tell copies by their host. An IPv6 address has no such other. */
function shadowOf(authority: string): string {
  if (authority.startsWith('[')) return authority;
  const colon = authority.lastIndexOf(':');
  return colon > authority.lastIndexOf(']')
    ? `${authority.slice(0, colon)}-shadow${authority.slice(colon)}`
    : `${authority}-shadow`;
}

/** All copies of one request. */
class MirrorGroup implements MirrorFeed {
  readonly #calls: readonly MirrorCall[];

  constructor(calls: readonly MirrorCall[]) {
    this.#calls = calls;
  }

  data(chunk: Bytes, start: number, end: number): void {
    for (const call of this.#calls) call.data(chunk, start, end);
  }

  end(trailers: FieldTable | undefined): void {
    for (const call of this.#calls) call.end(trailers);
  }

  leave(): void {
    for (const call of this.#calls) call.leave();
  }
}
