import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  addMetadata,
  CONTINUE,
  streamGrpc,
  type FilterHost,
  type HostCounter,
  type HttpStream,
  type MutableHeaders,
  type Verdict,
} from '@tulle/filter';
import { CompileContext, compileSent, loadedRegexEngine, type NameTest } from '@tulle/match';
import type { ExtProcFilterConfig } from '@tulle/model';
import { perConfig } from '@tulle/schema';
import { Conversation, type Answer, type FailureReason, type Limits, type Part } from './conversation.ts';
import type {
  HeaderMutation,
  ImmediateResponse,
  ProcessingRequestSchema,
  ProcessingResponse,
} from './gen/envoy/service/ext_proc/v3/external_processor_pb.js';
import { immediateReply } from './immediate.ts';
import { messageOf } from './messages.ts';
import { DEFAULT_MODES, type Modes } from './modes.ts';
import { applyMutation, compileRules, type PutPseudo } from './mutations.ts';
import type { ProcState, Side } from './state.ts';

/** Decision notes (decision D10): the service answered (value: status), changed fields, or failed (value: the reason's number). */
export const NOTE_REPLIED = 1;
export const NOTE_CHANGED = 2;
export const NOTE_FAILED = 3;
/** The service failed, and the stream went on since `failureMode` is `allow`. */
export const NOTE_FAILURE_ALLOWED = 4;

/** Package, service and method of Envoy's API. */
const METHOD = '/envoy.service.ext_proc.v3.ExternalProcessor/Process';
/** Beside a body that was told whole an answer has little to say. */
const MAX_ANSWER_BYTES = 1_048_576;

const REASONS: readonly FailureReason[] = [
  'timeout',
  'service',
  'spurious',
  'invalid',
  'mutation',
  'overflow',
];

/** What a configuration comes to. */
export interface CompiledConfig {
  readonly modes: Modes;
  readonly limits: Limits;
  readonly sent: NameTest;
  /** What may be changed of a request or response. */
  readonly may: NameTest;
  /** What may be in an answer of the service's own: as in Envoy, the rules of changes do not hold there. */
  readonly mayReply: NameTest;
  readonly maxAnswerBytes: number;
}

/** A part, to be told. */
export type PartInit = Extract<
  NonNullable<MessageInitShape<typeof ProcessingRequestSchema>['request']>,
  { case: Part }
>;

/** What an answer to a part means for the hook that told of it. */
export type Told =
  /** The stream goes on, by what the answer says. */
  | { readonly kind: 'answer'; readonly response: ProcessingResponse }
  /** It goes on as if nobody had been told, or is ended. */
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** It has ended meanwhile: nothing of it may be touched. */
  | { readonly kind: 'gone' };

const GOES_ON: Told = { kind: 'verdict', verdict: CONTINUE };
const GONE: Told = { kind: 'gone' };

/** Tells the service, and does what it says that is the same for every part. */
export class Processor {
  readonly #host: FilterHost;
  readonly compiled: (config: ExtProcFilterConfig) => CompiledConfig;
  readonly #whole: HostCounter;
  readonly #failures: ReadonlyMap<FailureReason, HostCounter>;
  readonly #passed: HostCounter;
  readonly #rejected: HostCounter;
  #working = true;

  constructor(host: FilterHost) {
    this.#host = host;
    this.compiled = perConfig(compileConfig);
    const messages = (result: string): HostCounter =>
      host.counter('ext_proc_messages_total', 'Messages to the external processor by what came of them', {
        result,
      });
    this.#whole = messages('answered');
    this.#failures = new Map(REASONS.map((reason) => [reason, messages(reason)]));
    this.#passed = host.counter(
      'ext_proc_failure_mode_allowed_total',
      'Streams that went on without the external processor, since failureMode is allow',
    );
    this.#rejected = host.counter(
      'ext_proc_rejected_header_mutations_total',
      'Changes of fields that the external processor may not make',
    );
  }

  /** Tells of a part, and waits for the answer. @param begun whether the caller has seen the beginning of a response */
  async tell(
    side: Side,
    part: PartInit,
    stream: HttpStream,
    config: ExtProcFilterConfig,
    state: ProcState,
    begun = false,
  ): Promise<Told> {
    const { requestAttributes = [], responseAttributes = [], sentMetadata = [] } = config;
    const first = !state[side].told;
    state[side].told = true;
    const attributes = side === 'request' ? requestAttributes : responseAttributes;
    const message = messageOf(stream, part, {
      attributes: first ? attributes : [],
      metadata: sentMetadata,
      epochMs: this.#host.epochMs(),
    });
    const conversation = (state.conversation ??= this.#open(config));
    const answer = await conversation.ask(part.case, message);
    if (state.gone) return GONE;
    // The other direction gave it up, or was answered.
    if (state.done) return GOES_ON;
    return this.#heard(answer, stream, config, state, begun || (side === 'request' && state.begun));
  }

  #open(config: ExtProcFilterConfig): Conversation {
    const { cluster, authority, metadata = [] } = config.service;
    const { limits, maxAnswerBytes } = this.compiled(config);
    return new Conversation(this.#host, limits, (events) =>
      streamGrpc(
        this.#host,
        {
          cluster,
          ...(authority !== undefined && { authority }),
          path: METHOD,
          metadata: metadata.flatMap(({ name, value }) => [name, value]),
          maxMessageBytes: maxAnswerBytes,
        },
        events,
      ),
    );
  }

  #heard(
    answer: Answer,
    stream: HttpStream,
    config: ExtProcFilterConfig,
    state: ProcState,
    begun: boolean,
  ): Told {
    switch (answer.kind) {
      case 'over':
        state.done = true;
        return GOES_ON;
      case 'failed':
        return verdict(this.fail(answer.reason, answer.message, stream, config, state));
      case 'reply':
        this.#works();
        takeMetadata(stream, answer.response, config);
        return verdict(this.#reply(answer.reply, stream, config, state, begun));
      case 'answer':
        this.#works();
        takeMetadata(stream, answer.response, config);
        return answer;
    }
  }

  /** The service can be of no use to this stream. */
  fail(
    reason: FailureReason,
    message: string,
    stream: HttpStream,
    config: ExtProcFilterConfig,
    state: ProcState,
  ): Verdict {
    this.#failures.get(reason)?.add();
    if (this.#working) {
      this.#working = false;
      this.#host.log.warn(`the external processor fails: ${reason}: ${message}`, { reason });
    }
    this.leave(state);
    if (config.failureMode === 'allow') {
      this.#passed.add();
      stream.note(NOTE_FAILURE_ALLOWED, REASONS.indexOf(reason));
      return CONTINUE;
    }
    stream.note(NOTE_FAILED, REASONS.indexOf(reason));
    const status = reason === 'timeout' ? 504 : config.statusOnError;
    return stream.abort('TULLE_EXT_PROC_ERROR', `ext_proc_error{${reason}}`, status);
  }

  #reply(
    reply: ImmediateResponse,
    stream: HttpStream,
    config: ExtProcFilterConfig,
    state: ProcState,
    begun: boolean,
  ): Verdict {
    this.leave(state);
    if (config.allowImmediateResponse === false) return CONTINUE;
    const answer = immediateReply(reply, stream, this.compiled(config).mayReply);
    this.#rejected.add(answer.rejected);
    stream.note(NOTE_REPLIED, answer.status);
    if (begun) return stream.abort('TULLE_EXT_PROC_ERROR', answer.details);
    return stream.reply(answer.status, 'TULLE_LOCAL_REPLY', answer.body, answer.headers, answer.details);
  }

  /** The service is told no more of the stream. */
  leave(state: ProcState): void {
    state.done = true;
    state.conversation?.close();
  }

  /** One line when it begins to fail and one when it works again: the rest are counters. */
  #works(): void {
    this.#whole.add();
    if (this.#working) return;
    this.#working = true;
    this.#host.log.info('the external processor answers again');
  }

  /** Changes fields as an answer says. @returns a verdict where that ends the stream */
  change(
    mutation: HeaderMutation | undefined,
    fields: MutableHeaders,
    putPseudo: PutPseudo,
    stream: HttpStream,
    config: ExtProcFilterConfig,
    state: ProcState,
  ): Verdict | undefined {
    if (mutation === undefined) return undefined;
    const { rejected } = applyMutation(mutation, fields, this.compiled(config).may, putPseudo);
    stream.note(NOTE_CHANGED, mutation.setHeaders.length + mutation.removeHeaders.length - rejected);
    if (rejected === 0) return undefined;
    this.#rejected.add(rejected);
    return config.mutationRules?.disallowedIsError === true
      ? this.fail('mutation', `${rejected} changes of fields are not allowed`, stream, config, state)
      : undefined;
  }
}

function verdict(given: Verdict): Told {
  return given === CONTINUE ? GOES_ON : { kind: 'verdict', verdict: given };
}

/** What the service says to later filters, in the namespaces in which it may. */
function takeMetadata(
  stream: HttpStream,
  { dynamicMetadata }: ProcessingResponse,
  { receivedMetadata = [] }: ExtProcFilterConfig,
): void {
  if (dynamicMetadata === undefined) return;
  for (const namespace of receivedMetadata) {
    const values = Object.hasOwn(dynamicMetadata, namespace) ? dynamicMetadata[namespace] : undefined;
    if (typeof values === 'object' && values !== null && !Array.isArray(values))
      addMetadata(stream, namespace, values);
  }
}

function compileConfig(config: ExtProcFilterConfig): CompiledConfig {
  const { mode, mutationRules = {}, sentHeaders, withheldHeaders = [], maxBodyBytes = 0 } = config;
  const { messageTimeoutMs = 200, maxMessageTimeoutMs = 0 } = config;
  const context = new CompileContext(loadedRegexEngine());
  const may = compileRules(mutationRules, context, '/mutationRules');
  const mayReply = compileRules({ allowRouting: true, allowEnvoy: true }, context, '');
  context.finish('rules of external processing');
  return {
    modes: { ...DEFAULT_MODES, ...mode },
    limits: { messageTimeoutMs, maxMessageTimeoutMs },
    sent: compileSent(sentHeaders, withheldHeaders),
    may,
    mayReply,
    // A body may come back changed, and somewhat larger.
    maxAnswerBytes: MAX_ANSWER_BYTES + 2 * maxBodyBytes,
  };
}
