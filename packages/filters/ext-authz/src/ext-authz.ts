import {
  addMetadata,
  CONNECTION_METADATA,
  CONTINUE,
  defineHttpFilter,
  DYNAMIC_METADATA,
  TulleError,
  type FilterHost,
  type HookResult,
  type HttpFilter,
  type HttpHooks,
  type HttpStream,
  type MetadataValues,
  type MutableHeaders,
  type Verdict,
} from '@tulle/filter';
import {
  EXT_AUTHZ_FILTER,
  extAuthzFilterSchema,
  extAuthzRouteSchema,
  type ExtAuthzFilterConfig,
  type ExtAuthzRouteConfig,
} from '@tulle/model';
import {
  CompileContext,
  compileMetadataMatch,
  loadedRegexEngine,
  loadRegexEngine,
  type MetadataTest,
} from '@tulle/match';
import { jsonSchema, perConfig } from '@tulle/schema';
import type { CheckClient } from './check-client.ts';
import { httpClient } from './http-client.ts';
import { failed, type Allowed, type FailureReason, type HeaderEdit, type Outcome } from './outcome.ts';
import { editQuery } from './query.ts';

/** Decision notes (decision D10): allowed, denied (value: status), no answer (value: the reason's number). */
export const NOTE_ALLOWED = 1;
export const NOTE_DENIED = 2;
export const NOTE_FAILED = 3;
/** There was no answer, and the request passed since `failureMode` is `allow`. */
export const NOTE_FAILURE_ALLOWED = 4;

/** What is remembered of a stream between its check and its end. */
interface CheckState {
  /** Ends the check that is under way. */
  abandon: (() => void) | undefined;
  over: boolean;
  /** Nobody is asked about it. */
  unasked: boolean;
  responseEdits: readonly HeaderEdit[];
}

/**
 * External authorization: a service is asked about every request, over HTTP or gRPC. No answer in time, or none that can be
 * used, refuses the request unless the operator said otherwise; either way it is counted.
 */
export const extAuthz: HttpFilter<ExtAuthzFilterConfig, ExtAuthzRouteConfig, CheckState> = defineHttpFilter<
  ExtAuthzFilterConfig,
  ExtAuthzRouteConfig,
  CheckState
>({
  apiVersion: 1,
  id: EXT_AUTHZ_FILTER,
  summary: 'Asks a service, over HTTP or gRPC, whether a request may pass.',
  config: jsonSchema<ExtAuthzFilterConfig>(extAuthzFilterSchema),
  routeConfig: jsonSchema<ExtAuthzRouteConfig>(extAuthzRouteSchema, { defaults: false }),
  mergeRoute: ({ body: ofChain, ...base }, { body = ofChain, contextExtensions }) =>
    rematchable({
      ...base,
      ...(body === undefined || body === null ? {} : { body }),
      ...(contextExtensions === undefined
        ? {}
        : { contextExtensions: { ...base.contextExtensions, ...contextExtensions } }),
    }),
  bodyFor: ({ body }) =>
    body === undefined ? {} : { request: { buffer: body.maxBytes, partial: body.partial === true } },
  phase: 'authz',
  // A stranger must not learn from 403 and 404 which paths exist.
  unrouted: true,
  effects: 'external',
  provides: [DYNAMIC_METADATA],
  notes: {
    [NOTE_ALLOWED]: 'allowed',
    [NOTE_DENIED]: 'denied with status',
    [NOTE_FAILED]: 'check failed',
    [NOTE_FAILURE_ALLOWED]: 'check failed, allowed',
  },
  state: {
    create: () => ({ abandon: undefined, over: false, unasked: false, responseEdits: NOTHING }),
    reset(state) {
      state.abandon = undefined;
      state.over = false;
      state.unasked = false;
      state.responseEdits = NOTHING;
    },
  },
  create: createExtAuthz,
});

const NOTHING: readonly never[] = Object.freeze([]);

/**
 * A configuration that can be carried out: when a body has been collected, filters behind this one have seen the head by the route as it
 * was, so that no other may take its place.
 * @throws TulleError
 */
function rematchable(config: ExtAuthzFilterConfig): ExtAuthzFilterConfig {
  if (config.rematch !== true || config.body === undefined) return config;
  const path = '/rematch';
  const message =
    'must not be true where body is given: a route is matched again before a body is read, or not at all';
  throw new TulleError('TULLE_CONFIG_INVALID', `${path} ${message}`, { issues: [{ path, message }] });
}
const REASONS: readonly FailureReason[] = [
  'timeout',
  'unavailable',
  'invalid',
  'overflow',
  'status',
  'internal',
];

async function createExtAuthz(
  host: FilterHost,
  config: ExtAuthzFilterConfig,
): Promise<HttpHooks<ExtAuthzFilterConfig, CheckState>> {
  rematchable(config);
  const client = await clientFor(host, config);
  const conditionOf = perConfig(({ when }: ExtAuthzFilterConfig): MetadataTest => {
    if (when === undefined) return () => true;
    const context = new CompileContext(loadedRegexEngine());
    const test = compileMetadataMatch(when, context, '/when');
    context.finish('conditions of external authorization');
    return test;
  });
  const rematchedBy = perConfig(
    ({ rematchHeaders }: ExtAuthzFilterConfig): { readonly names?: readonly string[] } =>
      rematchHeaders === undefined ? {} : { names: rematchHeaders.map((name) => name.toLowerCase()) },
  );
  if (JSON.stringify(config.when ?? null).includes('"regex"')) await loadRegexEngine();
  conditionOf(config);
  const checks = (result: string): ReturnType<FilterHost['counter']> =>
    host.counter('ext_authz_checks_total', 'Checks by what came of them', { result });
  const [allowedCount, deniedCount] = [checks('allowed'), checks('denied')];
  const failures = new Map(REASONS.map((reason) => [reason, checks(reason)]));
  const passedCount = host.counter(
    'ext_authz_failure_mode_allowed_total',
    'Requests that passed without an answer, since failureMode is allow',
  );
  const activeGauge = host.gauge('ext_authz_checks_active', 'Checks under way');
  let active = 0;
  let working = true;

  return {
    requestHeaders(stream, inForce, state): HookResult {
      if (!isAsked(stream, inForce)) {
        state.unasked = true;
        stream.passRequestBody();
        if (inForce.otherwise !== 'deny') {
          dropClaimed(stream);
          return CONTINUE;
        }
        return stream.reply(
          inForce.statusOnError ?? 403,
          'TULLE_EXT_AUTHZ_DENIED',
          undefined,
          undefined,
          'ext_authz_denied{disabled}',
        );
      }
      if (inForce.body !== undefined && stream.request.hasBody) return CONTINUE;
      return check(stream, inForce, state, undefined);
    },
    requestData: (stream, inForce, state, bytes) =>
      state.unasked ? CONTINUE : check(stream, inForce, state, bytes),
    responseHeaders(stream, _inForce, state) {
      edit(stream.response.headers, state.responseEdits);
      return CONTINUE;
    },
    complete(_stream, _inForce, state) {
      state.over = true;
      state.abandon?.();
    },
    dispose: () => client.close(),
  };

  function isAsked(stream: HttpStream, inForce: ExtAuthzFilterConfig): boolean {
    const { percent, when } = inForce;
    if (percent !== undefined && percent < 100 && host.random() * 100 >= percent) return false;
    return when === undefined || conditionOf(inForce)(stream.get(DYNAMIC_METADATA));
  }

  function check(
    stream: HttpStream,
    inForce: ExtAuthzFilterConfig,
    state: CheckState,
    body: Uint8Array | undefined,
  ): HookResult {
    if (active >= (inForce.maxActiveChecks ?? 1_024))
      return settle(stream, inForce, state, failed('overflow', 'maxActiveChecks are under way'));
    activeGauge.set((active += 1));
    const running = client.check(stream, {
      body,
      contextExtensions: inForce.contextExtensions ?? {},
      tellCertificate: inForce.tellCertificate ?? false,
      rawHeaders: inForce.rawHeaders ?? false,
      metadata: metadataOf(stream, inForce.metadataNamespaces),
      timeoutMs: inForce.timeoutMs ?? 200,
    });
    state.abandon = () => running.cancel();
    return running.outcome.then((outcome) => {
      activeGauge.set((active -= 1));
      // The caller went away meanwhile: nobody acts on this verdict.
      if (state.over) return CONTINUE;
      state.abandon = undefined;
      return settle(stream, inForce, state, outcome);
    });
  }

  function settle(
    stream: HttpStream,
    inForce: ExtAuthzFilterConfig,
    state: CheckState,
    outcome: Outcome,
  ): Verdict {
    switch (outcome.kind) {
      case 'allowed': {
        works();
        allowedCount.add();
        stream.note(NOTE_ALLOWED, 0);
        const { request } = stream;
        const claimed = dropClaimed(stream);
        const isOther = changes(outcome, claimed, rematchedBy(inForce).names);
        for (const name of outcome.remove) request.headers.remove(name);
        edit(request.headers, outcome.edits);
        if (outcome.removeQuery.length > 0 || outcome.setQuery.length > 0)
          request.query = editQuery(request.query, outcome.removeQuery, outcome.setQuery);
        state.responseEdits = outcome.responseEdits;
        if (outcome.metadata !== undefined) addMetadata(stream, METADATA, outcome.metadata);
        if (inForce.rematch === true && isOther) stream.rematch();
        return CONTINUE;
      }
      case 'denied':
        works();
        deniedCount.add();
        stream.note(NOTE_DENIED, outcome.status);
        return stream.reply(
          outcome.status,
          'TULLE_EXT_AUTHZ_DENIED',
          cut(outcome.body, inForce.maxDeniedBodyBytes),
          outcome.headers,
        );
      case 'failed': {
        const { reason, message } = outcome;
        failures.get(reason)?.add();
        fails(reason, message);
        if (inForce.failureMode === 'allow') {
          passedCount.add();
          dropClaimed(stream);
          if (inForce.markFailureAllowed === true)
            stream.request.headers.set('x-envoy-auth-failure-mode-allowed', 'true');
          stream.note(NOTE_FAILURE_ALLOWED, REASONS.indexOf(reason));
          return CONTINUE;
        }
        stream.note(NOTE_FAILED, REASONS.indexOf(reason));
        return stream.reply(
          inForce.statusOnError ?? 403,
          'TULLE_EXT_AUTHZ_ERROR',
          undefined,
          undefined,
          `ext_authz_error{${reason}}`,
        );
      }
    }
  }

  /** What the caller sent under the service's names goes, whatever the service says. @returns their names */
  function dropClaimed({ request: { headers } }: HttpStream): readonly string[] {
    const claimed = client.claimed(headers);
    for (const name of claimed) headers.remove(name);
    return claimed;
  }

  /** One line when it begins to fail and one when it works again: the rest are counters. */
  function fails(reason: FailureReason, message: string): void {
    if (!working) return;
    working = false;
    host.log.warn(`the authorization service gives no answer: ${reason}: ${message}`, { reason });
  }

  function works(): void {
    if (working) return;
    working = true;
    host.log.info('the authorization service answers again');
  }
}

/** Namespace in which conditions written for Envoy look for what the service said. */
const METADATA = 'envoy.filters.http.ext_authz';

function metadataOf(
  stream: HttpStream,
  namespaces: readonly string[] = NOTHING,
): Readonly<Record<string, MetadataValues>> {
  if (namespaces.length === 0) return {};
  // What is known of the request goes before what is known of its connection, as in Envoy.
  const known = { ...stream.get(CONNECTION_METADATA), ...stream.get(DYNAMIC_METADATA) };
  return Object.fromEntries(
    namespaces.flatMap((name) => {
      const values = Object.hasOwn(known, name) ? known[name] : undefined;
      return values === undefined ? [] : [[name, values] as const];
    }),
  );
}

/**
 * Whether an answer changes what routes look at.
 * @param claimed names of what was dropped
 * @param names of fields that they look at, in lower case; absent: all
 */
function changes(
  { remove, edits, removeQuery, setQuery }: Allowed,
  claimed: readonly string[],
  names?: readonly string[],
): boolean {
  if (removeQuery.length + setQuery.length > 0) return true;
  if (names === undefined) return claimed.length + remove.length + edits.length > 0;
  return names.some(
    (wanted) =>
      claimed.includes(wanted) || remove.includes(wanted) || edits.some(({ name }) => name === wanted),
  );
}

/** Characters are cut through, as Envoy does. */
function cut(body: string | Uint8Array, maxBytes = Infinity): string | Uint8Array {
  if (body.length === 0 || maxBytes === Infinity) return body;
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
  return bytes.length > maxBytes ? bytes.subarray(0, maxBytes) : body;
}

function edit(headers: MutableHeaders, edits: readonly HeaderEdit[]): void {
  for (const { name, value, how } of edits) {
    if (how === 'append') headers.append(name, value);
    else if (how === 'set' || headers.has(name) === (how === 'set-if-present')) headers.set(name, value);
  }
}

async function clientFor(
  host: FilterHost,
  { service, withheldHeaders = [] }: ExtAuthzFilterConfig,
): Promise<CheckClient> {
  if ('grpcCluster' in service) {
    const { clusterClient } = await import('./cluster-client.ts');
    return clusterClient(host, service, withheldHeaders);
  }
  if ('grpc' in service) {
    const { grpcClient } = await import('./grpc-client.ts');
    return grpcClient(host, service, withheldHeaders);
  }
  const { url, cluster } = service.http;
  if (cluster === undefined && !isSafeUrl(url)) {
    const path = '/service/http/url';
    const message = `${JSON.stringify(url)} would let whoever is on the way decide who gets in; use https://, or name a cluster`;
    throw new TulleError('TULLE_CONFIG_INVALID', `${path} ${message}`, { issues: [{ path, message }] });
  }
  return httpClient(host, service, withheldHeaders);
}

function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    (url.protocol === 'https:' || /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname))
  );
}
