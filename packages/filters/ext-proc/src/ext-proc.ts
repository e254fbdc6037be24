import {
  defineHttpFilter,
  DYNAMIC_METADATA,
  type FilterHost,
  type HttpFilter,
  type HttpHooks,
} from '@tulle/filter';
import {
  EXT_PROC_FILTER,
  extProcFilterSchema,
  extProcRouteSchema,
  type ExtProcFilterConfig,
  type ExtProcRouteConfig,
} from '@tulle/model';
import { loadRegexEngine } from '@tulle/match';
import { jsonSchema } from '@tulle/schema';
import { bodyPiece } from './bodies.ts';
import { NOTE_CHANGED, NOTE_FAILED, NOTE_FAILURE_ALLOWED, NOTE_REPLIED, Processor } from './processor.ts';
import { requestPassed, responsePassed } from './heads.ts';
import { newState, resetState, type ProcState } from './state.ts';
import { trailersPassed } from './trailers.ts';

/** Largest body that is collected where nothing else is said: of Envoy's connections. */
const MAX_BODY_BYTES = 1_048_576;

/**
 * External processing: a service is told of the parts of requests and responses as they pass, over one call of gRPC for each stream,
 * and says what becomes of them. Of its state nothing is shown: its declarations name generated messages, which are in no package.
 */
export const extProc: HttpFilter<ExtProcFilterConfig, ExtProcRouteConfig, unknown> = defineHttpFilter<
  ExtProcFilterConfig,
  ExtProcRouteConfig,
  ProcState
>({
  apiVersion: 1,
  id: EXT_PROC_FILTER,
  summary: 'Lets a service look at, change or answer requests and responses while they pass.',
  config: jsonSchema<ExtProcFilterConfig>(extProcFilterSchema),
  routeConfig: jsonSchema<ExtProcRouteConfig>(extProcRouteSchema, { defaults: false }),
  mergeRoute: ({ service: ofChain, ...base }, { addedMetadata = [], service = ofChain, ...override }) => {
    const named = new Set(addedMetadata.map(({ name }) => name));
    const kept = (service.metadata ?? []).filter(({ name }) => !named.has(name));
    return { ...base, ...override, service: { ...service, metadata: [...kept, ...addedMetadata] } };
  },
  // Declared for both; what the service is told of is chosen for each message.
  bodyFor({ maxBodyBytes = MAX_BODY_BYTES }) {
    const need = { buffer: maxBodyBytes, partial: true } as const;
    return { request: need, response: need };
  },
  phase: 'custom',
  // The service may refuse what has no route, and change the answer.
  unrouted: true,
  effects: 'external',
  provides: [DYNAMIC_METADATA],
  notes: {
    [NOTE_REPLIED]: 'the processor answered with status',
    [NOTE_CHANGED]: 'changed fields',
    [NOTE_FAILED]: 'the processor failed',
    [NOTE_FAILURE_ALLOWED]: 'the processor failed, allowed',
  },
  state: { create: newState, reset: resetState },
  create: createExtProc,
});

async function createExtProc(
  host: FilterHost,
  config: ExtProcFilterConfig,
): Promise<HttpHooks<ExtProcFilterConfig, ProcState>> {
  const { allowPattern, disallowPattern } = config.mutationRules ?? {};
  if (allowPattern !== undefined || disallowPattern !== undefined) await loadRegexEngine();
  const processor = new Processor(host);
  // What cannot be compiled is told now, not with the first request.
  processor.compiled(config);
  return {
    requestHeaders: (stream, inForce, state) => requestPassed(processor, stream, inForce, state),
    requestData: (stream, inForce, state, bytes, end) =>
      bodyPiece(processor, 'request', stream, inForce, state, bytes, end),
    requestTrailers: (stream, inForce, state) => trailersPassed(processor, 'request', stream, inForce, state),
    responseHeaders: (stream, inForce, state) => responsePassed(processor, stream, inForce, state),
    responseData: (stream, inForce, state, bytes, end) =>
      bodyPiece(processor, 'response', stream, inForce, state, bytes, end),
    responseTrailers: (stream, inForce, state) =>
      trailersPassed(processor, 'response', stream, inForce, state),
    complete(_stream, _inForce, state) {
      state.gone = true;
      state.conversation?.close();
      return undefined;
    },
  };
}
