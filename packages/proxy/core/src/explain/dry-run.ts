import { CONTINUE, type ConnectionInfo } from '@tulle/filter';
import { formatAddress, type Endpoint, type TcpAddress } from '@tulle/model';
import { completeStream } from '../chain/complete.ts';
import { EMPTY_TABLE, type HeadStep, type PhaseTable } from '../chain/tables.ts';
import { beginStream } from '../chain/walk.ts';
import { chooseChain } from '../compile/choose-chain.ts';
import type { CompiledChain, CompiledListener } from '../compile/compiled-listener.ts';
import { HttpChain, type CompiledRoute, type ForwardTarget } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import type { ListenerRuntime } from '../listener/listener.ts';
import { openGate } from '../overload/overload-manager.ts';
import type { Services } from '../services.ts';
import type { Downstream } from '../sides.ts';
import { DecisionArena } from '../stream/decision-arena.ts';
import { SITE_WOULD_CALL } from '../stream/sites.ts';
import { Stream } from '../stream/stream.ts';
import { explainDecision } from './explain-decision.ts';
import type { Explanation, Reason } from './explanation.ts';
import { ImaginedFault, type ImaginedRequest } from './imagined-request.ts';

/** For a filter without effects that answers by a promise all the same. */
const WAIT_MS = 1_000;

/**
 * Walks an imagined request through the tables that real ones walk through, up to where an endpoint would be asked.
 * Filters with effects are not called; nothing is sent, counted as a request or kept.
 * @throws ImaginedFault when there is no listener or chain for it
 */
export async function dryRun(
  engine: Engine,
  listeners: ReadonlyMap<string, ListenerRuntime>,
  imagined: ImaginedRequest,
): Promise<Explanation> {
  const listener = listenerOf(listeners, imagined);
  const chain = chainOf(listener, imagined);
  const connection = connectionOf(listener, imagined);
  const run = new DryRun(engine, chain, connection);
  await run.walk(imagined);
  return run.explain(imagined);
}

function listenerOf(
  listeners: ReadonlyMap<string, ListenerRuntime>,
  { listener }: ImaginedRequest,
): ListenerRuntime {
  const names = [...listeners.keys()].join(', ') || 'none';
  if (listener !== undefined) {
    const found = listeners.get(listener);
    if (found === undefined)
      throw new ImaginedFault(
        `/listener: there is no listener ${JSON.stringify(listener)}; there is ${names}`,
      );
    return found;
  }
  const [only, another] = listeners.values();
  if (only === undefined || another !== undefined)
    throw new ImaginedFault(`/listener: say which listener it comes to; there is ${names}`);
  return only;
}

function chainOf(listener: ListenerRuntime, imagined: ImaginedRequest): HttpChain {
  const { compiled } = listener;
  const { source } = imagined;
  const to = destinationOf(listener, imagined);
  const chain = chooseChain(compiled, {
    sourceAddress: source.address,
    sourcePort: 0,
    directAddress: source.address,
    destinationAddress: to.host,
    destinationPort: to.port,
    // What comes through a tunnel is in the clear there.
    tls: compiled.hbone === undefined ? source.tls : undefined,
    serverName: source.serverName,
    applicationProtocols: compiled.hbone !== undefined ? [] : source.tls ? ['h2', 'http/1.1'] : ['http/1.1'],
    filterState: undefined,
  });
  if (chain === undefined)
    throw new ImaginedFault(
      `/source: no filter chain of listener ${compiled.name} takes ${source.tls ? 'a TLS' : 'a plain'} connection from ${source.address} to ${formatAddress(to)}${source.serverName === undefined ? '' : ` for ${source.serverName}`}; the connection would be closed`,
    );
  if (source.identity === undefined && asksForCertificate(compiled, chain))
    throw new ImaginedFault(
      `/source: listener ${compiled.name} asks who calls, and who proves nothing is refused before a request is read; give source.identity`,
    );
  if (!(chain.handler instanceof HttpChain))
    throw new ImaginedFault(
      `/listener: ${compiled.name} hands such a connection on as TCP: there are no requests in it`,
    );
  return chain.handler;
}

/** Where the connection goes, as far as that is said; else to the listener itself. */
function destinationOf({ address }: ListenerRuntime, { destination }: ImaginedRequest): TcpAddress {
  const own = 'host' in address ? address : { host: '', port: 0 };
  return { host: destination.address ?? own.host, port: destination.port ?? own.port };
}

/** For a workload's own way in: at a gateway nothing says on whose behalf it is imagined. */
function asksForCertificate({ config }: CompiledListener, { name }: CompiledChain): boolean {
  if (config.hbone !== undefined) return (config.hbone.tls.clientCertificate ?? 'require') === 'require';
  if (config.direction !== 'inbound') return false;
  const { clientCertificate, trust } = config.filterChains.find((chain) => chain.name === name)?.tls ?? {};
  return (clientCertificate ?? (trust === undefined ? 'none' : 'require')) === 'require';
}

function connectionOf(listener: ListenerRuntime, imagined: ImaginedRequest): ConnectionInfo {
  const to = destinationOf(listener, imagined);
  const { source } = imagined;
  return {
    remoteAddress: source.address,
    directAddress: source.address,
    remotePort: 0,
    localAddress: to.host,
    localPort: to.port,
    listener: listener.name,
    direction: listener.direction,
    tls: source.tls,
    peerIdentity: source.identity,
    serverName: source.serverName,
    alpn: undefined,
  };
}

/** One walk. */
class DryRun {
  readonly #engine: Engine;
  readonly #real: HttpChain;
  readonly #chain: HttpChain;
  readonly #stream: Stream;
  readonly #connection: ConnectionInfo;
  readonly #kept: DecisionArena = new DecisionArena(1, 1_024);
  readonly #over: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  #outlook: readonly Reason[] = [];

  constructor(engine: Engine, chain: HttpChain, connection: ConnectionInfo) {
    this.#engine = engine;
    this.#real = chain;
    this.#connection = connection;
    this.#chain = new HttpChain({
      name: chain.name,
      listener: chain.listener,
      internal: false,
      generation: chain.generation,
      settings: chain.settings,
      filters: chain.filters,
      beforeRoute: this.#steps(chain.beforeRoute),
      unrouted: this.#table(chain.unrouted),
      matcher: {
        payloads: [],
        hasHost: (authority) => chain.matcher.hasHost(authority),
        explain: () => undefined,
        match: (request) => {
          const route = chain.matcher.match(request);
          return route === undefined ? undefined : this.#route(route);
        },
      },
    });
    this.#stream = new Stream(this.#services());
  }

  /** Resolves when it has come to its answer, or to where an endpoint would be asked. */
  async walk({ method, path, authority, headers }: ImaginedRequest): Promise<void> {
    const { turn, clock } = this.#engine;
    const stream = this.#stream;
    const head = stream.requestHead;
    head.reset();
    head.method = method;
    head.target = head.path = path;
    const query = path.indexOf('?');
    head.queryIndex = query < 0 ? path.length : query;
    head.authority = authority;
    for (const [name, value] of headers) stream.headers.add(name, value);
    turn.begin();
    try {
      stream.begin(this.#caller(), this.#chain, turn.nowMs);
      stream.requestReceived = stream.requestEnded = true;
      beginStream(stream);
    } finally {
      turn.end();
    }
    const cancel = clock.setTimer(WAIT_MS, () => completeStream(stream));
    await this.#over.promise.finally(cancel);
    this.#chain.retire();
  }

  explain(imagined: ImaginedRequest): Explanation {
    const [decision] = this.#kept.all();
    if (decision === undefined) throw new Error('a dry run left no decision');
    const { clock } = this.#engine;
    const { method, authority, path, query } = decision;
    return explainDecision({ ...decision, chain: this.#real }, clock.epochMs(), {
      matched: { method, authority, path, query, headers: headersFor(imagined) },
      outlook: this.#outlook,
    });
  }

  // — tables: those of the chain, without what has effects —

  #steps(steps: readonly HeadStep[] | null): readonly HeadStep[] | null {
    return (
      steps?.map((step): HeadStep => {
        const effects = step.filter.definition.effects ?? 'local';
        if (effects === 'none') return step;
        const operand = effects === 'local' ? 1 : 2;
        return {
          ...step,
          run: () => {
            this.#stream.note(SITE_WOULD_CALL, step.filter.slot, operand);
            return CONTINUE;
          },
        };
      }) ?? null
    );
  }

  #table(table: PhaseTable): PhaseTable {
    return { ...EMPTY_TABLE, filters: table.filters, requestHeaders: this.#steps(table.requestHeaders) };
  }

  #route(route: CompiledRoute): CompiledRoute {
    const { action } = route;
    const target = (one: ForwardTarget): ForwardTarget => ({ ...one, table: this.#table(one.table) });
    return {
      ...route,
      table: this.#table(route.table),
      action: action.kind === 'forward' ? { ...action, targets: action.targets.map(target) } : action,
    };
  }

  // — the world around it —

  #services(): Services {
    const { clock, wheel, doors, log, metrics, limits, turn, replayAccount, random, requestId } =
      this.#engine;
    const nothing = (): void => {};
    return {
      ...{ clock, wheel, log, metrics, limits, turn, replayAccount, random, requestId },
      doors: {
        ...doors,
        beginAttempts: () => this.#wouldForward(),
        connectAttempt: nothing,
        cancelAttempt: nothing,
        armAttemptTimers: nothing,
      },
      overload: openGate(this.#engine.overload),
      newTable: () => this.#engine.newTable(),
      sha1: (text) => this.#engine.sha1(text),
      streams: { active: 0, ended: nothing, put: nothing },
      recorder: {
        record: nothing,
        hand: nothing,
        logMoment: nothing,
        describe: (stream, use) => this.#engine.recorder.describe(stream as Stream, use),
      },
      mirrors: { start: nothing },
      demands: undefined, // an imagined request needs nothing
      decisions: { keep: () => this.#kept.put(this.#stream) },
      tracing: undefined,
      defect: (_, defect) => {
        this.#engine.logDefect(defect);
        completeStream(this.#stream);
      },
      logDefect: (defect) => this.#engine.logDefect(defect),
    };
  }

  #caller(): Downstream {
    const nothing = (): void => {};
    return {
      connection: this.#connection,
      open: true,
      full: false,
      takesOn: () => false,
      writeHead: () => true,
      writeData: () => false,
      writeInterim: nothing,
      writeContinue: nothing,
      writeEnd: nothing,
      pauseRequest: nothing,
      resumeRequest: nothing,
      abort: nothing,
      abandonRequest: nothing,
      tunnel: nothing,
      streamDone: () => this.#over.resolve(),
    };
  }

  /** An endpoint would be asked: the walk ends. */
  #wouldForward(): void {
    const { target, route } = this.#stream;
    const real = this.#real.matcher.payloads[route?.index ?? -1];
    const share =
      real?.action.kind === 'forward'
        ? real.action.targets.find(({ ref }) => ref === target?.ref)
        : undefined;
    this.#outlook = [
      ...(share?.table.attemptHeaders ?? []).map(({ filter }): Reason => ({
        site: 'filter',
        subject: filter.name,
        outcome: 'would run',
        reason: 'attempt-headers',
        detail: 'for each attempt, with an endpoint chosen',
      })),
      outlookOf(target),
    ];
    completeStream(this.#stream);
  }
}

/** Who would be asked. */
function outlookOf(target: ForwardTarget | undefined): Reason {
  const current = target?.ref.current;
  const subject = target?.cluster ?? '';
  if (current === undefined)
    return {
      site: 'cluster',
      subject,
      outcome: 'absent',
      reason: 'not-configured',
      detail: 'nothing defines it (yet)',
    };
  const { usable, endpoints } = current.balancer;
  return {
    site: 'cluster',
    subject,
    outcome: usable > 0 ? 'would forward' : 'would fail',
    reason: usable > 0 ? 'balance' : 'none-usable',
    detail: `${usable} of ${endpoints.length} endpoints may be picked; none was asked`,
    children: endpoints.slice(0, MAX_ENDPOINTS_LISTED).map((state): Reason => {
      const health = state.endpoint.health ?? 'healthy';
      return {
        site: 'endpoint',
        subject: state.address,
        outcome: state.ejected ? 'ejected' : health,
        reason: state.ejected ? 'outlier' : 'health',
        detail: `weight ${state.weight}, priority ${state.priority}${throughOf(state.endpoint)}`,
      };
    }),
  };
}

/** By which tunnel an endpoint is called, in words. */
function throughOf({ mode, tunnel, identity }: Endpoint): string {
  if (mode !== 'hbone') return '';
  const whose = identity === undefined ? '' : `, taken by ${identity}`;
  return `, by a tunnel${tunnel?.authority === undefined ? '' : ` for ${tunnel.authority}`}${whose}`;
}

const MAX_ENDPOINTS_LISTED = 50;

/** What conditions on headers look at. */
function headersFor({
  headers,
}: ImaginedRequest): NonNullable<Parameters<HttpChain['matcher']['match']>[0]['headers']> {
  const at = (index: number): readonly [string, string] => headers[index] as readonly [string, string];
  return {
    length: headers.length,
    name: (index) => at(index)[0],
    rawName: (index) => at(index)[0],
    value: (index) => at(index)[1],
    get: (name) => headers.find(([other]) => other === name)?.[1],
    getAll: (name) => headers.filter(([other]) => other === name).map(([, value]) => value),
    has: (name) => headers.some(([other]) => other === name),
    forEach: (fn) => headers.forEach(([name, value]) => fn(name, value)),
  };
}
