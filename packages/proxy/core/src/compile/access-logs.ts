import { SharedUse } from './shared-use.ts';
import { type CelIssue, loadedCelEngine, NO_CEL_ENGINE, RECORD_ATTRIBUTES } from '@tulle/cel';
import {
  compileHeaderMatch,
  compileMetadataMatch,
  compileStringMatch,
  CompileContext,
  type RegexEngine,
} from '@tulle/match';
import { logTypeOf } from '@tulle/record-format';
import type { AccessLog, AccessLogComparison, AccessLogFilter, Listener, ValueMatch } from '@tulle/model';
import { type AccessLoggers, grpcStatusOfHttp, type StreamRecord } from '@tulle/telemetry';
import type { Engine } from '../engine.ts';
import type { ChainLogs, CompiledLog, LogTest } from '../stream/logs.ts';
import { canonical } from './canonical.ts';
import { EngineFilterHost } from './filter-host.ts';
import type { Issues } from './issues.ts';

/** The access logs of one handler; closed when nothing logs to them any more. */
export class AccessLogs extends SharedUse implements ChainLogs {
  readonly logs: readonly CompiledLog[];
  readonly #engine: Engine;
  readonly #host: EngineFilterHost;

  constructor(engine: Engine, host: EngineFilterHost, logs: readonly CompiledLog[]) {
    super();
    this.#engine = engine;
    this.#host = host;
    this.logs = logs;
  }

  protected override end(): void {
    this.#engine.closing.close(
      this.#engine,
      this.#host,
      this.logs.map(({ sink }) => sink),
    );
  }
}

/**
 * Opens the access logs of a handler; everything that is wrong goes to `issues`.
 * @param path JSON pointer of the list
 * @returns `undefined` where there are none, or they are wrong
 */
export async function openAccessLogs(
  logs: readonly AccessLog[] | undefined,
  path: string,
  base: {
    readonly engine: Engine;
    readonly loggers: readonly AccessLoggers[];
    readonly regex: RegexEngine | undefined;
    readonly issues: Issues;
  },
): Promise<AccessLogs | undefined> {
  if (logs === undefined || logs.length === 0) return undefined;
  const { engine, loggers, issues } = base;
  const context = new CompileContext(base.regex);
  const host = new EngineFilterHost(engine, 'access log');
  const opened: CompiledLog[] = [];
  for (const [index, log] of logs.entries()) {
    const here = `${path}/${index}`;
    const passes =
      log.filter === undefined ? null : compileTest(log.filter, `${here}/filter`, context, engine);
    const maker = loggers.find(({ kinds }) => kinds.includes(log.to.kind));
    if (maker === undefined) {
      const known = loggers.flatMap(({ kinds }) => kinds);
      issues.add(
        `${here}/to/kind`,
        `no telemetry plugin of this proxy opens access logs of the kind ${JSON.stringify(log.to.kind)}; there is ${known.join(', ') || 'none: give it accessLoggers() of @tulle/telemetry-access-log'}`,
      );
      continue;
    }
    try {
      opened.push({ sink: await maker.open(log, host), passes });
    } catch (error) {
      issues.take(here, error);
    }
  }
  for (const issue of context.issues) issues.add(issue.path, issue.message);
  return new AccessLogs(engine, host, opened);
}

/** The access logs of a listener itself. */
export interface ListenerLogs {
  readonly opened: AccessLogs | undefined;
  /** Canonical text of what they were made of: those that say the same stay open. */
  readonly key: string;
}

/** Opens those of a listener. @param path its JSON pointer @param before the listener of that name at work */
export async function openListenerLogs(
  { accessLogs = [] }: Listener,
  path: string,
  before: { readonly logs: ListenerLogs } | undefined,
  base: Parameters<typeof openAccessLogs>[2],
): Promise<ListenerLogs> {
  const key = canonical(accessLogs);
  if (before?.logs.key === key) return before.logs;
  return { opened: await openAccessLogs(accessLogs, `${path}/accessLogs`, base), key };
}

function compileTest(
  filter: AccessLogFilter,
  path: string,
  context: CompileContext,
  engine: Engine,
): LogTest {
  switch (filter.kind) {
    case 'status': {
      const compare = comparison(filter);
      return ({ status }) => compare(status);
    }
    case 'duration': {
      const compare = comparison(filter);
      return ({ durationMs }) => compare(Math.floor(durationMs));
    }
    case 'not-health-check':
      return ({ details }) => details !== HEALTH_CHECK_DETAILS;
    case 'traceable':
      return ({ sampled }) => sampled;
    case 'share':
      return share(filter, engine.random);
    case 'all': {
      const tests = filter.filters.map((one, i) => compileTest(one, `${path}/filters/${i}`, context, engine));
      return (record, headers) => tests.every((test) => test(record, headers));
    }
    case 'any': {
      const tests = filter.filters.map((one, i) => compileTest(one, `${path}/filters/${i}`, context, engine));
      return (record, headers) => tests.some((test) => test(record, headers));
    }
    case 'header':
      return header(filter.header, `${path}/header`, context);
    case 'flags': {
      const wanted = new Set(filter.flags);
      if (wanted.size === 0) return ({ flags }) => flags.length > 0;
      return ({ flags }) => flags.some((flag) => wanted.has(flag));
    }
    case 'grpc-status': {
      const wanted = new Set(filter.statuses);
      const exclude = filter.exclude ?? false;
      return ({ grpcStatus, status }) =>
        wanted.has(grpcStatus >= 0 ? grpcStatus : grpcStatusOfHttp(status)) !== exclude;
    }
    case 'metadata': {
      const { metadata, ifAbsent = true } = filter;
      const test = compileMetadataMatch(metadata, context, `${path}/metadata`);
      const there = compileMetadataMatch(
        { ...metadata, invert: false, value: { present: true } },
        context,
        `${path}/metadata`,
      );
      return (record) => {
        const values = record.metadata(metadata.namespace);
        const said = values && { [metadata.namespace]: values };
        return there(said) ? test(said) : ifAbsent;
      };
    }
    case 'cel': {
      const engine = loadedCelEngine();
      if (engine === undefined) context.issue(`${path}/cel`, NO_CEL_ENGINE);
      const issues: CelIssue[] = [];
      const expression = engine?.compile(filter.cel, RECORD_ATTRIBUTES, issues);
      for (const { at, message } of issues) context.issue(`${path}/cel`, `column ${at + 1}: ${message}`);
      return (record) => expression?.holds(record) === true;
    }
    case 'log-type': {
      const { exclude = false, types } = filter;
      const named = new Set<string>(types);
      return (record) => named.has(logTypeOf(record)) !== exclude;
    }
  }
}

/** What the filter for health checks says of its answers. */
const HEALTH_CHECK_DETAILS = 'health_check';

function comparison({ op, value }: AccessLogComparison): (given: number) => boolean {
  switch (op) {
    case 'eq':
      return (given) => given === value;
    case 'ne':
      return (given) => given !== value;
    case 'ge':
      return (given) => given >= value;
    case 'le':
      return (given) => given <= value;
  }
}

const FIRST_OF_UUID = /^[0-9a-fA-F]{8}/;

/** As Envoy counts: the first eight digits of the request id, modulo the denominator. */
function share(
  { numerator, denominator, independent }: Extract<AccessLogFilter, { readonly kind: 'share' }>,
  random: () => number,
): LogTest {
  const byChance: LogTest = () => random() * denominator < numerator;
  if (independent === true) return byChance;
  return (record, headers) =>
    FIRST_OF_UUID.test(record.requestId)
      ? Number.parseInt(record.requestId.slice(0, 8), 16) % denominator < numerator
      : byChance(record, headers);
}

/** A connection has no headers: what is not there never matches, and matches when inverted. */
function header(condition: ValueMatch, path: string, context: CompileContext): LogTest {
  const pseudo = PSEUDO[condition.name.toLowerCase()];
  if (pseudo === undefined) {
    const test = compileHeaderMatch(condition, context, path);
    const inverted = condition.invert === true;
    return (_, headers) => (headers === undefined ? inverted : test(headers));
  }
  const test = compileStringMatch(condition.match, context, `${path}/match`);
  const inverted = condition.invert === true;
  return (record) => (record.kind === 'http' && test(pseudo(record))) !== inverted;
}

const PSEUDO: Readonly<Record<string, (record: StreamRecord) => string>> = {
  ':method': ({ method }) => method,
  ':authority': ({ authority }) => authority,
  ':path': ({ upstreamPath, path, query }) =>
    query === undefined ? (upstreamPath ?? path) : `${upstreamPath ?? path}?${query}`,
};

/** Clusters that records are sent to, with where they are named. */
export function accessLogClusters(logs: readonly AccessLog[] = []): [name: string, at: string][] {
  return logs.flatMap(({ to }, index): [string, string][] =>
    to.kind === 'grpc' || to.kind === 'otlp' ? [[to.cluster, `/${index}/to/cluster`]] : [],
  );
}
