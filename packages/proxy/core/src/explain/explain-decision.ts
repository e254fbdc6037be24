import { ERROR_TABLE, errorRow } from '@tulle/filter';
import { GRPC_STATUS_NAMES } from '@tulle/telemetry';
import type { CompiledRoute, ForwardTarget } from '../compile/compiled.ts';
import type { DecidedAttempt, Decision } from '../stream/decision.ts';
import { OVERLOAD_RESOURCES } from '../overload/options.ts';
import {
  CLUSTER_ABSENT,
  CLUSTER_DROPS,
  CLUSTER_FULL,
  HYGIENE_CALLER_UNKNOWN,
  HYGIENE_CLAIMS_KEPT,
  HYGIENE_CLAIMS_REMOVED,
  HYGIENE_ID_MADE,
  HYGIENE_PATH_NORMALIZED,
  HYGIENE_PEER_TRUSTED,
  RAN_STOPPED,
  readCounts,
  REDIRECT_REFUSALS,
  RETRY_REFUSALS,
  SITE_ATTEMPT,
  SITE_BODY_STOPPED,
  SITE_BROKEN,
  SITE_CLUSTER,
  SITE_DEADLINE,
  SITE_DEMAND,
  SITE_ENDPOINT,
  SITE_FILTER_FAILED,
  SITE_GRPC_STATUS,
  SITE_HYGIENE,
  SITE_OVERLOAD,
  SITE_PHASE,
  SITE_REDIRECT,
  SITE_REMATCH,
  SITE_REPLY,
  SITE_RETRY,
  SITE_RETRY_REFUSED,
  SITE_ROUTE,
  SITE_STALE,
  SITE_WOULD_CALL,
} from '../stream/sites.ts';
import type { ExplainSite, Explanation, Reason } from './explanation.ts';
import { explainRoute, type Matched } from './explain-route.ts';
import { FilterTrail } from './filter-trail.ts';
import { redactParameters } from './redact.ts';

const CODES: ReadonlyMap<number, string> = new Map(
  Object.entries(ERROR_TABLE).map(([code, { reason }]) => [reason, code]),
);

/** What the notes do not say of an imagined request. */
export interface DryRunFacts {
  readonly matched: Matched;
  /** What stands at the end instead of attempts. */
  readonly outlook: readonly Reason[];
}

/** Reads the notes of a decision with the configuration that it was made by; credentials in the query are not shown. @param epochMs wall clock at its start */
export function explainDecision(decision: Decision, epochMs: number, dry?: DryRunFacts): Explanation {
  const { chain, originalPath, query, sentPath, code } = decision;
  const details = redactParameters(decision.details);
  const whole = chain !== undefined && decision.dropped === 0;
  return {
    requestId: decision.requestId,
    dryRun: dry !== undefined,
    startedAt: new Date(epochMs).toISOString(),
    durationMs: round(decision.durationMs),
    listener: chain?.listener ?? '',
    chain: chain?.name ?? '',
    generation: chain?.generation ?? 0,
    peerIdentity: decision.peerIdentity,
    method: decision.method,
    authority: decision.authority,
    path: query === undefined ? originalPath : `${originalPath}?${redactParameters(query)}`,
    upstreamPath: sentPath === originalPath ? undefined : sentPath,
    status: decision.status,
    code,
    details,
    hint: errorRow(code)?.hint ?? '',
    whole,
    reasons: new Reading({ ...decision, details }, dry).read(),
  };
}

/** One pass over the notes. */
class Reading {
  readonly #decision: Decision;
  readonly #dry: DryRunFacts | undefined;
  readonly #reasons: Reason[] = [];
  readonly #attempts: readonly DecidedAttempt[];
  #attempt = 0;
  /** The response broke behind its head. */
  #broken = false;
  #endpointTold = false;
  #route: CompiledRoute | undefined;
  #target: ForwardTarget | undefined;
  /** A reply whose hook is not told yet. */
  #held: { readonly reason: number; readonly operand: number } | undefined;
  readonly #filters: FilterTrail;

  constructor(decision: Decision, dry: DryRunFacts | undefined) {
    this.#decision = decision;
    this.#dry = dry;
    this.#attempts = decision.attempts;
    this.#filters = new FilterTrail(decision.chain);
  }

  read(): Reason[] {
    const { notes, dropped, status, code, details, durationMs } = this.#decision;
    const count = notes.length / 3;
    this.#protocol();
    if (notes[0] !== SITE_HYGIENE) this.#hygiene(0);
    for (let i = 0; i < count; i++)
      this.#note(notes[i * 3] as number, notes[i * 3 + 1] as number, notes[i * 3 + 2] as number, i);
    this.#restOfAttempts(count);
    this.#reasons.push(...this.#filters.rest(), ...(this.#dry?.outlook ?? []));
    if (dropped > 0)
      this.#add('response', '', 'incomplete', 'notes-dropped', `${dropped} later notes did not fit`);
    if (this.#dry === undefined)
      this.#add(
        'response',
        '',
        status === 0 ? 'none' : String(status),
        code === '' ? 'from-endpoint' : code,
        details,
        { at: round(durationMs) },
      );
    return this.#reasons;
  }

  /** Of a port that declares it there is nothing to say. */
  #protocol(): void {
    const { otherwise = [] } = this.#decision.chain?.settings ?? {};
    if (otherwise.length === 0) return;
    this.#add(
      'request',
      '',
      'http',
      'protocol-detected',
      `the port declares no protocol, and the caller spoke HTTP first; anything else goes to ${otherwise.join(', ')} as it is`,
    );
  }

  #add(
    site: ExplainSite,
    subject: string,
    outcome: string,
    reason: string,
    detail: string,
    more: { readonly at?: number; readonly children?: readonly Reason[] } = {},
  ): void {
    this.#reasons.push({ site, subject, outcome, reason, detail, ...more });
  }

  #note(site: number, reason: number, operand: number, index: number): void {
    switch (site) {
      case SITE_HYGIENE:
        return this.#hygiene(reason);
      case SITE_ROUTE:
        return this.#routed(reason, operand);
      case SITE_REMATCH:
        return void this.#reasons.push(this.#filters.rematch(reason));
      case SITE_PHASE:
        this.#reasons.push(...this.#filters.phase(reason >> 2, reason & 3, operand));
        return this.#giveHeld(index);
      case SITE_FILTER_FAILED:
        return this.#filters.failed(reason, operand === 1);
      case SITE_BODY_STOPPED:
        this.#reasons.push(this.#filters.bodyStopped(reason, operand === 1));
        return this.#giveHeld(index);
      case SITE_WOULD_CALL:
        return this.#filters.notCalled(reason, operand);
      case SITE_OVERLOAD:
        return this.#add(
          'request',
          '',
          'refused',
          'overload',
          `the proxy shed load: ${OVERLOAD_RESOURCES[reason] ?? ''} was at ${operand} % of its limit`,
        );
      case SITE_DEMAND:
        return this.#add(
          'request',
          reason === 0 ? 'virtual host' : 'cluster',
          'waited',
          'on-demand',
          'it was not there: the control plane was asked for it, and the request went on when that was answered, or took too long',
        );
      case SITE_DEADLINE:
        return this.#add(
          'request',
          'grpc-timeout',
          `${operand} ms`,
          reason === 1 ? 'route-maximum' : 'caller',
          reason === 1
            ? 'the caller would have waited longer than the route lets it ask for'
            : 'the caller waits no longer; the endpoint is told what is left of it',
        );
      case SITE_GRPC_STATUS:
        return this.#grpcStatus(reason, operand);
      case SITE_CLUSTER:
        return this.#cluster(reason);
      case SITE_ENDPOINT:
        return this.#endpoint(reason, operand);
      case SITE_ATTEMPT:
        return this.#attemptOver(reason, operand);
      case SITE_RETRY:
        return this.#add('retry', `attempt ${reason}`, 'granted', 'policy', `again after ${operand} ms`);
      case SITE_RETRY_REFUSED:
        return this.#add(
          'retry',
          `attempt ${operand}`,
          'refused',
          RETRY_REFUSALS[reason] ?? '',
          REFUSALS[RETRY_REFUSALS[reason] ?? ''] ?? '',
        );
      case SITE_REDIRECT: {
        const refusal = REDIRECT_REFUSALS[reason] ?? '';
        return this.#add(
          'reply',
          'internal redirect',
          refusal === '' ? 'followed' : 'passed on',
          refusal === '' ? 'policy' : refusal,
          REDIRECTS[refusal] ?? '',
        );
      }
      case SITE_STALE:
        return this.#add(
          'retry',
          `attempt ${reason}`,
          'granted',
          'stale-connection',
          'the kept-alive connection had been closed; once more without any policy',
        );
      case SITE_REPLY:
        // The hook that gave it is told first, which its note comes behind.
        if (this.#stopsAfter(index)) this.#held = { reason, operand };
        else this.#reply(reason, operand, index);
        return;
      case SITE_BROKEN:
        this.#restOfAttempts(index);
        this.#broken = true;
        return this.#add(
          'reply',
          '',
          'broken off',
          CODES.get(reason) ?? '',
          'the response had begun: the caller saw a broken message',
        );
      default:
        if (site >= 0) this.#filters.note(site, reason, operand);
    }
  }

  /** Whether the next thing that is told is the hook that ended its phase. */
  #stopsAfter(index: number): boolean {
    const { notes } = this.#decision;
    for (let i = index + 1; i < notes.length / 3; i++) {
      const site = notes[i * 3] as number;
      if (site === SITE_BODY_STOPPED) return true;
      if (site === SITE_PHASE) return ((notes[i * 3 + 1] as number) & 3) === RAN_STOPPED;
      if (site < 0 && site !== SITE_FILTER_FAILED) return false;
    }
    return false;
  }

  #giveHeld(index: number): void {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#reply(held.reason, held.operand, index);
  }

  #reply(reason: number, status: number, index: number): void {
    this.#restOfAttempts(index);
    const code = CODES.get(reason) ?? '';
    const { code: last, details } = this.#decision;
    this.#add(
      'reply',
      '',
      String(status),
      code || last,
      code === last || code === '' ? details : (errorRow(code)?.details ?? ''),
    );
  }

  #grpcStatus(status: number, http: number): void {
    const name = `${GRPC_STATUS_NAMES[status] ?? 'UNKNOWN'} (${status})`;
    const own = http !== 0 || this.#broken;
    this.#add(
      own ? 'reply' : 'attempt',
      own ? '' : (this.#attempts[this.#attempt - 1]?.address ?? ''),
      name,
      'grpc-status',
      http !== 0
        ? `a gRPC caller gets it in place of HTTP status ${http}`
        : own
          ? 'the caller gets it in trailers'
          : 'said by the endpoint',
    );
  }

  #hygiene(done: number): void {
    const told = HYGIENE.filter(([bit]) => (done & bit) !== 0);
    this.#add(
      'request',
      '',
      told.length === 0 ? 'unchanged' : 'cleaned',
      told.map(([, word]) => word).join(' ') || 'as-sent',
      told.map(([, , detail]) => detail).join('; '),
    );
  }

  #routed(index: number, share: number): void {
    const { chain, method, authority, path, query } = this.#decision;
    if (chain === undefined)
      return this.#add(
        'route',
        `route ${index}`,
        index < 0 ? 'none' : 'matched',
        'configuration-gone',
        'too many configurations followed; names are not known any more',
      );
    this.#route = chain.matcher.payloads[index];
    const route = this.#route;
    const matched = this.#dry?.matched ?? { method, authority, path, query, headers: undefined };
    this.#reasons.push(explainRoute(chain, route, matched));
    this.#target = route?.action.kind === 'forward' ? route.action.targets[share] : undefined;
    this.#filters.table = this.#target?.table ?? route?.table ?? chain.unrouted;
    if (route === undefined || route.action.kind !== 'forward') return;
    const { targets, totalWeight } = route.action;
    if (targets.length < 2 && this.#target !== undefined) return;
    this.#add(
      'cluster',
      this.#target === undefined ? '' : calledBy(this.#target),
      this.#target === undefined ? 'none' : 'drawn',
      'weight',
      this.#target === undefined
        ? 'no backend has any weight'
        : `weight ${this.#target.weight} of ${totalWeight}; others: ${targets
            .filter((one) => one !== this.#target)
            .map((one) => `${calledBy(one)} ${one.weight}`)
            .join(', ')}`,
    );
  }

  #cluster(reason: number): void {
    const name = this.#target?.cluster ?? '';
    if (reason === CLUSTER_ABSENT)
      this.#add('cluster', name, 'absent', 'not-configured', 'nothing defines it (yet)');
    if (reason === CLUSTER_FULL)
      this.#add(
        'cluster',
        name,
        'refused',
        'max-requests',
        'as many requests are under way as its limits allow',
      );
    if (reason === CLUSTER_DROPS)
      this.#add('cluster', name, 'refused', 'drop-overload', 'the control plane has a share of them refused');
  }

  #endpoint(tried: number, counts: number): void {
    const { usable, total } = readCounts(counts);
    const next = this.#attempts[this.#attempt];
    const chosen = usable > 0;
    this.#endpointTold = true;
    this.#add(
      'endpoint',
      next?.address ?? '',
      chosen ? 'chosen' : 'none',
      chosen ? 'balance' : total === 0 ? 'no-endpoints' : 'none-usable',
      `${usable} of ${total} may be picked${tried === 0 ? '' : `, ${tried} of them tried already`}`,
      next === undefined ? {} : { at: round(next.startMs) },
    );
  }

  /** That an endpoint was chosen among all is not noted. */
  #chosen(record: DecidedAttempt): void {
    if (record.address === '') return;
    if (!this.#endpointTold)
      this.#add('endpoint', record.address, 'chosen', 'balance', 'every endpoint could be picked', {
        at: round(record.startMs),
      });
    this.#endpointTold = false;
  }

  #attemptOver(reason: number, status: number): void {
    const record = this.#attempts[this.#attempt];
    this.#attempt++;
    if (record !== undefined) this.#chosen(record);
    this.#add(
      'attempt',
      record?.address ?? '',
      status === 0 ? 'failed' : String(status),
      reason === 0 ? 'answered' : (CODES.get(reason) ?? ''),
      record === undefined ? '' : detailOf(record),
      record === undefined ? {} : { at: round(record.startMs) },
    );
  }

  /** Attempts that ended since nobody waited any more have no note. */
  #restOfAttempts(from: number): void {
    const { notes } = this.#decision;
    for (let i = from; i < notes.length / 3; i++) if (notes[i * 3] === SITE_ATTEMPT) return;
    for (; this.#attempt < this.#attempts.length; this.#attempt++) {
      const record = this.#attempts[this.#attempt] as DecidedAttempt;
      this.#chosen(record);
      this.#add(
        'attempt',
        record.address,
        record.status === 0 ? 'given up' : String(record.status),
        record.status === 0 ? this.#decision.code || 'cancelled' : 'answered',
        detailOf(record),
        { at: round(record.startMs) },
      );
    }
  }
}

const HYGIENE: readonly (readonly [bit: number, word: string, detail: string])[] = [
  [HYGIENE_ID_MADE, 'id-made', 'it brought no x-request-id that is believed'],
  [HYGIENE_PEER_TRUSTED, 'peer-trusted', 'its claims of identity stay: the peer is a trusted forwarder'],
  [HYGIENE_CLAIMS_REMOVED, 'claims-removed', 'fields that claim an identity or a former hop were removed'],
  [HYGIENE_CLAIMS_KEPT, 'claims-kept', 'the listener keeps claims of identity'],
  [HYGIENE_CALLER_UNKNOWN, 'caller-unknown', "its caller's address is nowhere where it has to be"],
  [HYGIENE_PATH_NORMALIZED, 'path-normalized', 'the path was brought to its one spelling'],
];

const REFUSALS: Readonly<Record<string, string>> = {
  budget: 'the retry budget of the cluster is used up',
  limit: 'the proxy makes no more attempts (maxAttempts)',
  unsafe: 'it may have been carried out, and repeating its method is not safe',
  replay: 'its body is not there any more to be sent again',
  timeout: 'the request timeout would be over before it',
  closed: 'the caller is gone',
};

const REDIRECTS: Readonly<Record<string, string>> = {
  '': 'the request went through the chain anew, as one for the place that the answer named; it has an explanation of its own',
  'request-not-whole': 'the answer came before the end of the request',
  'body-not-kept': 'the body of the request is not there any more to be sent again',
  location: 'it names no place that could be asked: give one absolute http or https URL in location',
  scheme: 'it leads to another scheme than the policy of the route lets it',
  limit: 'the request was led on as often as the policy of the route lets it',
  'no-route': 'no route takes what it leads to',
  route: 'the policy of the route does not let it lead to that route, or not once more',
};

function detailOf({ durationMs, reused }: DecidedAttempt): string {
  return `${round(durationMs)} ms, ${reused ? 'kept-alive' : 'new'} connection`;
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** A share by its cluster, or by the field that names it. */
function calledBy({ cluster = '', named }: ForwardTarget): string {
  return named === undefined ? cluster : `(by ${named.name})`;
}
