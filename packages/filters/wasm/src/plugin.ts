import {
  CONTINUE,
  STOP,
  type FilterHost,
  type HookResult,
  type HttpStream,
  type Verdict,
} from '@tulle/filter';
import { isGrpcContentType } from '@tulle/match';
import type { WasmFilterConfig } from '@tulle/model';
import { ACTION_CONTINUE } from './abi.ts';
import type { GuestModule } from './module.ts';
import { settingsOf, type Settings } from './settings.ts';
import { NO_BYTES, type Side, type SideState, type StreamContext } from './stream-context.ts';
import { Vm } from './vm.ts';

/** Decision notes (decision D10): the guest answered (value: status), ended the stream, or failed. */
export const NOTE_REPLIED = 1;
export const NOTE_CLOSED = 2;
export const NOTE_FAILED = 3;
/** The guest failed, and the stream went on since `failureMode` is `allow`. */
export const NOTE_FAILURE_ALLOWED = 4;

/** A module that has ended is started anew for the next stream, but not more often (Envoy `reload_config`, base interval). */
const RELOAD_MS = 1_000;

const CALLBACKS = {
  request: {
    headers: 'proxy_on_request_headers',
    body: 'proxy_on_request_body',
    trailers: 'proxy_on_request_trailers',
  },
  response: {
    headers: 'proxy_on_response_headers',
    body: 'proxy_on_response_body',
    trailers: 'proxy_on_response_trailers',
  },
} as const;

/** A guest in a chain: takes streams to it, and does what it says. */
export class Plugin {
  readonly #host: FilterHost;
  readonly #module: GuestModule;
  readonly #settings: Settings;
  readonly #config: WasmFilterConfig;
  readonly #failures: { add(n?: number): void };
  readonly #passed: { add(n?: number): void };
  readonly #reloads: { add(n?: number): void };
  #vm: Vm;
  #startedMs: number;

  constructor(host: FilterHost, module: GuestModule, config: WasmFilterConfig) {
    this.#host = host;
    this.#module = module;
    this.#config = config;
    this.#settings = settingsOf(config, host.name);
    this.#failures = host.counter(
      'wasm_failures_total',
      'Streams to which a WebAssembly module was of no use',
    );
    this.#passed = host.counter(
      'wasm_failure_mode_allowed_total',
      'Streams that went on without a WebAssembly module that had ended, since failureMode is allow',
    );
    this.#reloads = host.counter(
      'wasm_reloads_total',
      'WebAssembly modules started anew after they had ended',
    );
    this.#vm = this.#start();
    this.#startedMs = host.nowMs();
  }

  #start(): Vm {
    return new Vm(this.#host, this.#module, this.#settings, (context) => this.#wake(context));
  }

  dispose(): void {
    this.#vm.end();
  }

  headers(side: Side, stream: HttpStream, context: StreamContext): HookResult {
    if (context.vm === undefined) this.#begin(stream, context);
    if (context.done) return this.#skip(side, context);
    const { length } = side === 'request' ? stream.request.headers : stream.response.headers;
    const bodiless = side === 'request' ? !stream.request.hasBody : isBodiless(stream);
    const pseudo = side === 'request' ? 4 : 1;
    context[side].resumed = false;
    const action = this.#ask(context, CALLBACKS[side].headers, length + pseudo, bodiless ? 1 : 0);
    return this.#decide(side, context, action, () => this.#passHead(side, context, bodiless));
  }

  #begin(stream: HttpStream, context: StreamContext): void {
    context.stream = stream;
    context.beganMs = this.#host.epochMs();
    this.#reload();
    context.vm = this.#vm;
    if (this.#vm.failure === undefined) {
      context.inHook = true;
      this.#vm.add(context);
      context.inHook = false;
    }
  }

  #reload(): void {
    if (this.#vm.failure === undefined || this.#config.failureMode !== 'reload') return;
    const nowMs = this.#host.nowMs();
    if (nowMs - this.#startedMs < RELOAD_MS) return;
    this.#startedMs = nowMs;
    try {
      this.#vm = this.#start();
      this.#reloads.add();
    } catch (error) {
      this.#host.log.error('the module cannot be started anew', { error: String(error) });
    }
  }

  /** Nothing of this direction is the guest's business. */
  #skip(side: Side, context: StreamContext): Verdict {
    passBody(side, context);
    context.routed = true;
    context.begun ||= side === 'response';
    return CONTINUE;
  }

  #passHead(side: Side, context: StreamContext, bodiless: boolean): Verdict {
    const { stream, vm } = context;
    if (stream === undefined) return CONTINUE;
    if (side === 'request') {
      if (context.rematch) stream.rematch();
      context.rematch = false;
      context.routed = true;
    }
    const { bodies = 'both' } = this.#config;
    const heard = (bodies === 'both' || bodies === side) && vm?.has(CALLBACKS[side].body) === true;
    if (bodiless || !heard || context.done) passBody(side, context);
    if (side === 'response') context.begun = true;
    return CONTINUE;
  }

  data(side: Side, stream: HttpStream, context: StreamContext, bytes: Uint8Array, end: boolean): HookResult {
    const own = context[side];
    if (own.resumed) {
      // What was held back goes on, as the guest has said meanwhile.
      if (own.body.length > 0) stream.emit(own.body);
      own.body = NO_BYTES;
      own.resumed = false;
    }
    if (context.done) {
      if (own.body.length > 0) stream.emit(own.body);
      own.body = NO_BYTES;
      stream.emit(bytes);
      return CONTINUE;
    }
    own.body = own.body.length === 0 ? bytes : Buffer.concat([own.body, bytes]);
    own.ended = end;
    const fields = side === 'request' ? stream.request.trailers : stream.response.trailers;
    const trailers = end ? fields.length : 0;
    let action = ACTION_CONTINUE as number | undefined;
    if (bytes.length > 0 || trailers === 0)
      action = this.#ask(context, CALLBACKS[side].body, own.body.length, end && trailers === 0 ? 1 : 0);
    if (trailers > 0 && context.reply === undefined && !context.closed) {
      action = this.#ask(context, CALLBACKS[side].trailers, trailers);
    }
    const pass = (): Verdict => {
      if (own.body.length > 0 && context.stream !== undefined) stream.emit(own.body);
      own.body = NO_BYTES;
      return CONTINUE;
    };
    const waits = action !== undefined && action !== ACTION_CONTINUE && !own.resumed;
    if (waits && own.body.length > this.#settings.maxBodyBytes) return tooLarge(side, stream, context);
    if (waits && own.body === bytes) own.body = Uint8Array.from(bytes);
    // More of it comes, of which the guest is told together with this.
    if (waits && !end && !isOver(context)) return CONTINUE;
    return this.#decide(side, context, action, pass);
  }

  /** Trailers without a body whose end was seen. */
  trailers(side: Side, stream: HttpStream, context: StreamContext): HookResult {
    const own = context[side];
    if (context.done || own.ended) return CONTINUE;
    const { length } = side === 'request' ? stream.request.trailers : stream.response.trailers;
    const action = this.#ask(context, CALLBACKS[side].trailers, length);
    return this.#decide(side, context, action, () => CONTINUE);
  }

  complete(context: StreamContext): void {
    const { vm } = context;
    context.inHook = true;
    if (vm !== undefined && context.id !== 0 && vm.failure === undefined) vm.remove(context);
    else vm?.contexts.delete(context.id);
    context.stream = undefined;
    context.done = true;
    for (const side of [context.request, context.response]) side.resume?.(CONTINUE);
  }

  #ask(context: StreamContext, callback: string, ...args: number[]): number | undefined {
    context.inHook = true;
    const said = context.vm?.run(callback, context.id, ...args);
    context.inHook = false;
    return said;
  }

  /** Does what the guest said in its callback, or before while nothing of the stream waited. @param pass what the hook does when the stream goes on */
  #decide(side: Side, context: StreamContext, action: number | undefined, pass: () => Verdict): HookResult {
    const own = context[side];
    const verdict = this.#over(context);
    if (verdict !== undefined) return verdict === CONTINUE ? pass() : verdict;
    if (action === undefined || action === ACTION_CONTINUE || own.resumed) {
      own.resumed = false;
      return pass();
    }
    return new Promise((resolve) => {
      own.resume = resolve;
      own.goOn = pass;
    });
  }

  /** @returns what becomes of a stream that the guest answers or ends, or for which it is of no use; else `undefined` */
  #over(context: StreamContext): Verdict | undefined {
    const { stream, reply, vm } = context;
    if (stream === undefined) return STOP;
    if (reply !== undefined) {
      context.reply = undefined;
      // The guest sees the response, which is its own, and cannot answer again.
      context.replied = true;
      stream.note(NOTE_REPLIED, reply.status);
      const { status, details, body } = reply;
      if (context.begun) return stream.abort('TULLE_WASM_ERROR', details || 'wasm_local_response');
      return stream.reply(
        status,
        'TULLE_LOCAL_REPLY',
        body,
        fieldsOf(reply, stream),
        details || 'wasm_local_response',
      );
    }
    if (context.closed) {
      context.done = true;
      stream.note(NOTE_CLOSED, 0);
      return stream.abort('TULLE_WASM_ERROR', 'wasm_close_stream');
    }
    if (vm?.failure !== undefined && !context.done) return this.#fail(stream, context);
    return undefined;
  }

  #fail(stream: HttpStream, context: StreamContext): Verdict {
    this.#failures.add();
    context.done = true;
    if (this.#config.failureMode === 'allow') {
      this.#passed.add();
      stream.note(NOTE_FAILURE_ALLOWED, 0);
      return CONTINUE;
    }
    stream.note(NOTE_FAILED, 0);
    return stream.abort('TULLE_WASM_ERROR', 'wasm_fail_stream');
  }

  /** The guest has said something while no hook of the stream ran. */
  #wake(context: StreamContext): void {
    if (context.stream === undefined) return;
    const waiting = [context.request, context.response].filter(({ resume }) => resume !== undefined);
    // Where nothing waits, the next part of the stream looks at what was said.
    if (waiting.length === 0) return;
    const verdict = this.#over(context);
    for (const side of waiting) {
      if (verdict !== undefined) goOn(side, verdict === CONTINUE ? (side.goOn?.() ?? CONTINUE) : verdict);
      else if (side.resumed) {
        side.resumed = false;
        goOn(side, side.goOn?.() ?? CONTINUE);
      }
    }
  }
}

function goOn(side: SideState, verdict: Verdict): void {
  const { resume } = side;
  side.resume = undefined;
  side.goOn = undefined;
  resume?.(verdict);
}

function passBody(side: Side, { stream }: StreamContext): void {
  if (side === 'response') stream?.passResponseBody();
  else if (stream?.request.hasBody === true) stream.passRequestBody();
}

function isOver({ reply, closed, vm }: StreamContext): boolean {
  return reply !== undefined || closed || vm?.failure !== undefined;
}

function isBodiless({ request, response: { status, bodyLength } }: HttpStream): boolean {
  return request.method === 'HEAD' || status === 204 || status === 304 || bodyLength === 0;
}

function tooLarge(side: Side, stream: HttpStream, context: StreamContext): Verdict {
  context.done = true;
  return side === 'request'
    ? stream.abort('TULLE_BODY_TOO_LARGE', 'request_payload_too_large{wasm}')
    : stream.abort('TULLE_UPSTREAM_PROTOCOL', 'response_payload_too_large{wasm}');
}

/** Fields of an answer: what a guest may say of its own, and a status of gRPC for callers that speak it. */
function fieldsOf(
  { headers, grpcStatus }: { readonly headers: readonly string[]; readonly grpcStatus: number },
  stream: HttpStream,
): string[] {
  const fields: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = (headers[index] as string).toLowerCase();
    if (!name.startsWith(':') && !FRAMING.has(name)) fields.push(name, headers[index + 1] as string);
  }
  if (grpcStatus >= 0 && isGrpcContentType(stream.request.headers.get('content-type')))
    fields.push('grpc-status', String(grpcStatus));
  return fields;
}

/** The engine's own. */
const FRAMING: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
