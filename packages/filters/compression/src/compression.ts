import {
  CONTINUE,
  defineHttpFilter,
  type FilterHost,
  type HookResult,
  type HttpFilter,
  type HttpHooks,
  type HttpStream,
  type Verdict,
} from '@tulle/filter';
import {
  COMPRESSION_FILTER,
  COMPRESSION_TYPES,
  compressionFilterSchema,
  type CompressionCoding,
  type CompressionFilterConfig,
} from '@tulle/model';
import { jsonSchema, perConfig } from '@tulle/schema';
import { chooseAmong, chooseCoding } from './accept-encoding.ts';
import {
  compileTypes,
  isEligibleRequest,
  isProbe,
  varyByCoding,
  whyUnfit,
  type Eligibility,
  type TypeTest,
} from './eligible.ts';
import { Encoder } from './encoder.ts';

/** Decision notes (decision D10): a response, a request compressed; the value is the coding's place in {@link CODINGS}. */
export const NOTE_COMPRESSED = 1;
export const NOTE_REQUEST_COMPRESSED = 2;

const CODINGS: readonly CompressionCoding[] = ['gzip', 'br', 'zstd'];
const LEVELS: Readonly<Record<CompressionCoding, number>> = { gzip: 6, br: 4, zstd: 3 };

/** Tells the caller what was done (Envoy `status_header_enabled`). */
const STATUS_HEADER = 'x-envoy-compression-status';

interface Rules extends Eligibility {
  /** Of responses. */
  readonly enabled: boolean;
  /** Of requests. */
  readonly requests: { readonly isWanted: TypeTest; readonly minBytes: number } | undefined;
  readonly codings: readonly CompressionCoding[];
  readonly maxActive: number;
  readonly removeEtag: boolean;
  readonly tellStatus: boolean;
  readonly level: (coding: CompressionCoding) => number;
}

/** The compression of one stream's bodies. */
interface CompressionState {
  /** The request came by here: what was refused before that is answered as it is. */
  passed: boolean;
  /** Of the request. */
  request: { readonly encoder: Encoder; readonly coding: CompressionCoding } | undefined;
  encoder: Encoder | undefined;
  coding: CompressionCoding | undefined;
  /** What the caller takes, where the service is not told. */
  hidden: readonly string[] | undefined;
}

/**
 * Compresses responses for those who take it, and requests where the operator says so. What is coded already, must not be
 * changed, is a part, or is of no listed type passes untouched, with its length and validators.
 */
export const compression: HttpFilter<CompressionFilterConfig, CompressionFilterConfig, CompressionState> =
  defineHttpFilter<CompressionFilterConfig, CompressionFilterConfig, CompressionState>({
    apiVersion: 1,
    id: COMPRESSION_FILTER,
    summary: 'Compresses responses, and requests where their service takes it, with gzip, br or zstd.',
    config: jsonSchema<CompressionFilterConfig>(compressionFilterSchema),
    routeConfig: jsonSchema<CompressionFilterConfig>(compressionFilterSchema, { defaults: false }),
    phase: 'transform',
    unrouted: true,
    effects: 'local',
    notes: {
      [NOTE_COMPRESSED]: 'compressed with coding',
      [NOTE_REQUEST_COMPRESSED]: 'compressed the request with coding',
    },
    applies: ({ enabled, requests }) => enabled !== false || requests !== undefined,
    bodyFor: ({ requests }) => ({
      response: 'recode',
      ...(requests !== undefined && { request: 'recode' as const }),
    }),
    state: {
      create: () => ({
        passed: false,
        request: undefined,
        encoder: undefined,
        coding: undefined,
        hidden: undefined,
      }),
      reset(state) {
        state.passed = false;
        state.request = undefined;
        state.encoder = undefined;
        state.coding = undefined;
        state.hidden = undefined;
      },
    },
    create: createCompression,
  });

function createCompression(host: FilterHost): HttpHooks<CompressionFilterConfig, CompressionState> {
  const rulesOf = perConfig(compile);
  const counters = new Map(
    CODINGS.map((coding) => [
      coding,
      {
        responses: host.counter('compression_responses_total', 'Responses compressed', { coding }),
        requests: host.counter('compression_requests_total', 'Requests compressed', { coding }),
        bytesIn: host.counter('compression_in_bytes_total', 'Octets before compression', { coding }),
        bytesOut: host.counter('compression_out_bytes_total', 'Octets after compression', { coding }),
      },
    ]),
  );
  const overflows = host.counter(
    'compression_overflow_total',
    'Bodies that passed as they were since maxActive were being compressed',
  );
  const activeGauge = host.gauge('compression_active', 'Bodies being compressed');
  let active = 0;

  return {
    requestHeaders(stream, config, state) {
      state.passed = true;
      if (config.requests !== undefined) beginRequest(stream, state, rulesOf(config));
      if (config.enabled === false) return CONTINUE;
      if (config.hideAcceptEncoding !== true) return CONTINUE;
      const { headers } = stream.request;
      state.hidden = headers.getAll('accept-encoding');
      headers.remove('accept-encoding');
      return CONTINUE;
    },
    requestData(stream, _config, { request }, bytes, end): HookResult {
      if (request !== undefined) return encode(stream, request.encoder, request.coding, bytes, end);
      if (bytes.length > 0) stream.emit(bytes);
      return CONTINUE;
    },
    responseHeaders(stream, config, state) {
      const rules = rulesOf(config);
      const coding = rules.enabled ? codingFor(stream, rules, state) : undefined;
      if (coding === undefined) stream.passResponseBody();
      else begin(stream, state, coding, rules);
      return CONTINUE;
    },
    responseData(stream, _config, state, bytes, end): HookResult {
      const { encoder, coding } = state;
      // Another filter answered instead after this one had looked: that head promises no coding.
      if (encoder === undefined || stream.response.headers.get('content-encoding') !== coding) {
        if (bytes.length > 0) stream.emit(bytes);
        return CONTINUE;
      }
      return encode(stream, encoder, coding as CompressionCoding, bytes, end);
    },
    complete(_stream, _config, { encoder, request }) {
      for (const one of [encoder, request?.encoder]) {
        if (one === undefined) continue;
        one.close();
        activeGauge.set((active -= 1));
      }
    },
  };

  function beginRequest(stream: HttpStream, state: CompressionState, rules: Rules): void {
    const { request } = stream;
    if (!request.hasBody) return;
    const { isWanted, minBytes } = rules.requests ?? { isWanted: () => false, minBytes: 0 };
    const coding = rules.codings[0] as CompressionCoding;
    if (!isEligibleRequest(stream, isWanted, minBytes)) return stream.passRequestBody();
    if (active >= rules.maxActive) {
      overflows.add();
      return stream.passRequestBody();
    }
    state.request = { encoder: new Encoder(coding, rules.level(coding)), coding };
    activeGauge.set((active += 1));
    counters.get(coding)?.requests.add();
    request.headers.set('content-encoding', coding);
    stream.note(NOTE_REQUEST_COMPRESSED, CODINGS.indexOf(coding));
  }

  function codingFor(
    stream: HttpStream,
    rules: Rules,
    { passed, hidden }: CompressionState,
  ): CompressionCoding | undefined {
    const isHead = stream.request.method === 'HEAD';
    const unfit = whyUnfit(stream, rules);
    if (unfit !== undefined) {
      if (rules.tellStatus && unfit !== 'fixed' && !isHead && stream.response.bodyLength !== 0)
        stream.response.headers.append(STATUS_HEADER, `${rules.codings[0]};${unfit}`);
      return undefined;
    }
    varyByCoding(stream);
    // The answer to HEAD has no body, and says of it what is known without making it.
    if (!passed || isHead || isProbe(stream)) return undefined;
    const coding =
      hidden === undefined
        ? chooseCoding(stream.request.headers, rules.codings)
        : chooseAmong(hidden, rules.codings);
    if (coding === undefined || active < rules.maxActive) return coding;
    overflows.add();
    return undefined;
  }

  function begin(stream: HttpStream, state: CompressionState, coding: CompressionCoding, rules: Rules): void {
    state.encoder = new Encoder(coding, rules.level(coding));
    state.coding = coding;
    activeGauge.set((active += 1));
    counters.get(coding)?.responses.add();
    const { headers, bodyLength } = stream.response;
    headers.set('content-encoding', coding);
    if (rules.removeEtag && !/^w\/./i.test(headers.get('etag') ?? 'W/""')) headers.remove('etag');
    if (rules.tellStatus)
      headers.append(STATUS_HEADER, `${coding};Compressed;OriginalLength=${bodyLength ?? ''}`);
    stream.note(NOTE_COMPRESSED, CODINGS.indexOf(coding));
  }

  async function encode(
    stream: HttpStream,
    encoder: Encoder,
    coding: CompressionCoding,
    bytes: Uint8Array,
    end: boolean,
  ): Promise<Verdict> {
    const counts = counters.get(coding);
    counts?.bytesIn.add(bytes.length);
    let pieces: readonly Buffer[];
    try {
      pieces = await encoder.push(bytes, end);
    } catch (error) {
      if (encoder.closed) return CONTINUE;
      throw error;
    }
    // The caller went away meanwhile: nobody takes the bytes.
    if (encoder.closed) return CONTINUE;
    for (const piece of pieces) {
      counts?.bytesOut.add(piece.length);
      stream.emit(piece);
    }
    return CONTINUE;
  }
}

function compile(config: CompressionFilterConfig): Rules {
  const { requests } = config;
  return {
    enabled: config.enabled !== false,
    requests: requests && {
      isWanted: compileTypes(requests.contentTypes ?? COMPRESSION_TYPES),
      minBytes: requests.minBytes ?? 1_024,
    },
    codings: config.codings ?? ['zstd', 'br', 'gzip'],
    isWanted: compileTypes(config.contentTypes ?? COMPRESSION_TYPES),
    minBytes: config.minBytes ?? 1_024,
    maxActive: config.maxActive ?? 128,
    skipEtag: config.skipEtag ?? false,
    removeEtag: config.removeEtag ?? false,
    skipStatuses: new Set(config.skipStatuses),
    tellStatus: config.tellStatus ?? false,
    level: (coding) => config.levels?.[coding] ?? LEVELS[coding],
  };
}
