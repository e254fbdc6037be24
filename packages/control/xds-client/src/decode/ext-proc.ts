import {
  EXT_PROC_ATTRIBUTES,
  type ExtProcAttribute,
  type ExtProcBodyMode,
  type ExtProcFilterConfig,
  type ExtProcMode,
  type ExtProcMutationRules,
  type ExtProcRouteConfig,
  type ExtProcService,
} from '@tulle/model';
import type { GrpcService } from '@tulle/xds-proto/envoy/config/core/v3/grpc_service';
import type { HeaderMutationRules } from '@tulle/xds-proto/envoy/config/common/mutation_rules/v3/mutation_rules';
import {
  type ExternalProcessor,
  ExternalProcessor_RouteCacheAction as RouteCacheAction,
  type ExtProcPerRoute,
  type MetadataOptions,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_proc/v3/ext_proc';
import {
  type ProcessingMode,
  ProcessingMode_BodySendMode as BodySendMode,
  ProcessingMode_HeaderSendMode as HeaderSendMode,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_proc/v3/processing_mode';
import type { RegexMatcher } from '@tulle/xds-proto/envoy/type/matcher/v3/regex';
import type { DecodeContext } from './context.ts';
import { decodeNames } from './field-names.ts';
import { decodeGrpcCluster } from './grpc-cluster.ts';
import { filled, milliseconds, present } from './values.ts';

export function decodeExtProc(
  context: DecodeContext,
  message: ExternalProcessor,
  path: string,
): ExtProcFilterConfig {
  const { forwardRules, metadataOptions } = message;
  const status = message.statusOnError?.code ?? 0;
  if (status !== 0 && (status < 400 || status > 599))
    context.refuse(`${path}.status_on_error.code`, `must be 400 to 599, but is ${status}`);
  const messageTimeoutMs = timeout(context, message.messageTimeout, 1, `${path}.message_timeout`);
  const maxMessageTimeoutMs = timeout(context, message.maxMessageTimeout, 0, `${path}.max_message_timeout`);
  if (message.disableClearRouteCache && message.routeCacheAction !== RouteCacheAction.DEFAULT)
    context.refuse(`${path}.disable_clear_route_cache`, 'must not be set beside route_cache_action');
  return present({
    service: decodeService(context, message.grpcService, `${path}.grpc_service`),
    mode: message.processingMode && decodeMode(context, message.processingMode, `${path}.processing_mode`),
    messageTimeoutMs,
    maxMessageTimeoutMs,
    failureMode: message.failureModeAllow ? ('allow' as const) : undefined,
    allowModeOverride: message.allowModeOverride ? true : undefined,
    allowImmediateResponse: message.disableImmediateResponse ? false : undefined,
    mutationRules: message.mutationRules && decodeRules(message.mutationRules),
    sentHeaders:
      forwardRules?.allowedHeaders &&
      decodeNames(context, forwardRules.allowedHeaders, `${path}.forward_rules.allowed_headers`),
    withheldHeaders: filled(
      decodeNames(context, forwardRules?.disallowedHeaders, `${path}.forward_rules.disallowed_headers`) ?? [],
    ),
    requestAttributes: attributes(context, message.requestAttributes, `${path}.request_attributes`),
    responseAttributes: attributes(context, message.responseAttributes, `${path}.response_attributes`),
    ...decodeMetadata(metadataOptions),
    statusOnError: status === 0 ? undefined : status,
    allowedModes: filled(
      message.allowedOverrideModes.map((mode, index) =>
        decodeMode(context, mode, `${path}.allowed_override_modes[${index}]`),
      ),
    ),
    rematch: REMATCHES[message.disableClearRouteCache ? RouteCacheAction.RETAIN : message.routeCacheAction],
  });
}

/** @returns `null` where the filter is off */
export function decodeExtProcRoute(
  context: DecodeContext,
  { override }: ExtProcPerRoute,
  path: string,
): ExtProcRouteConfig | null {
  if (override.case === 'disabled') {
    if (!override.value) context.refuse(`${path}.disabled`, 'must be true');
    return null;
  }
  if (override.case === undefined) {
    context.refuse(path, 'says nothing: give disabled or overrides');
    return {};
  }
  const { processingMode, grpcService, metadataOptions, grpcInitialMetadata, failureModeAllow } =
    override.value;
  const here = `${path}.overrides`;
  return present({
    mode: processingMode && decodeMode(context, processingMode, `${here}.processing_mode`),
    service: grpcService && decodeService(context, grpcService, `${here}.grpc_service`),
    ...decodeMetadata(metadataOptions),
    requestAttributes: attributes(context, override.value.requestAttributes, `${here}.request_attributes`),
    responseAttributes: attributes(context, override.value.responseAttributes, `${here}.response_attributes`),
    failureMode:
      failureModeAllow === undefined ? undefined : failureModeAllow ? ('allow' as const) : ('deny' as const),
    addedMetadata: filled(
      grpcInitialMetadata.map(({ key, value, rawValue }) => ({
        name: key.toLowerCase(),
        value: rawValue.length > 0 ? Buffer.from(rawValue).toString('latin1') : value,
      })),
    ),
  });
}

/**
 * A call lasts as long as its stream: `timeout`, a limit of calls, means nothing here, nor does it in Envoy. It is taken all the
 * same, since control planes write it (Envoy Gateway 10 s); how long an answer may take is `message_timeout`.
 */
function decodeService(
  context: DecodeContext,
  service: GrpcService | undefined,
  path: string,
): ExtProcService {
  return present(decodeGrpcCluster(context, service, path));
}

const REMATCHES: Readonly<Record<RouteCacheAction, ExtProcFilterConfig['rematch'] | undefined>> = {
  [RouteCacheAction.DEFAULT]: undefined,
  [RouteCacheAction.CLEAR]: 'always',
  [RouteCacheAction.RETAIN]: 'never',
};

/** FULL_DUPLEX_STREAMED and GRPC are not spoken. */
const BODIES: Readonly<Partial<Record<BodySendMode, ExtProcBodyMode>>> = {
  [BodySendMode.STREAMED]: 'streamed',
  [BodySendMode.BUFFERED]: 'buffered',
  [BodySendMode.BUFFERED_PARTIAL]: 'buffered-partial',
};

function decodeMode(context: DecodeContext, mode: ProcessingMode, path: string): ExtProcMode {
  const body = (one: BodySendMode, field: string): ExtProcBodyMode | undefined => {
    if (one !== BodySendMode.NONE && BODIES[one] === undefined)
      context.refuse(
        `${path}.${field}`,
        `must be NONE, STREAMED, BUFFERED or BUFFERED_PARTIAL, but is ${one}`,
      );
    return BODIES[one];
  };
  const skip = (one: HeaderSendMode): 'skip' | undefined =>
    one === HeaderSendMode.SKIP ? 'skip' : undefined;
  const send = (one: HeaderSendMode): 'send' | undefined =>
    one === HeaderSendMode.SEND ? 'send' : undefined;
  return present({
    requestHeaders: skip(mode.requestHeaderMode),
    responseHeaders: skip(mode.responseHeaderMode),
    requestBody: body(mode.requestBodyMode, 'request_body_mode'),
    responseBody: body(mode.responseBodyMode, 'response_body_mode'),
    requestTrailers: send(mode.requestTrailerMode),
    responseTrailers: send(mode.responseTrailerMode),
  });
}

function decodeRules(rules: HeaderMutationRules): ExtProcMutationRules {
  const pattern = (matcher: RegexMatcher | undefined): string | undefined => matcher?.regex;
  return present({
    allowRouting: rules.allowAllRouting || undefined,
    allowEnvoy: rules.allowEnvoy || undefined,
    disallowSystem: rules.disallowSystem || undefined,
    disallowAll: rules.disallowAll || undefined,
    allowPattern: pattern(rules.allowExpression),
    disallowPattern: pattern(rules.disallowExpression),
    disallowedIsError: rules.disallowIsError || undefined,
  });
}

function decodeMetadata(
  options: MetadataOptions | undefined,
): Pick<ExtProcFilterConfig, 'sentMetadata' | 'receivedMetadata'> {
  return present({
    sentMetadata: filled(options?.forwardingNamespaces?.untyped ?? []),
    receivedMetadata: filled(options?.receivingNamespaces?.untyped ?? []),
  });
}

function attributes(
  context: DecodeContext,
  names: readonly string[],
  path: string,
): readonly ExtProcAttribute[] | undefined {
  const known: ExtProcAttribute[] = [];
  for (const [index, name] of names.entries()) {
    const found = EXT_PROC_ATTRIBUTES.find((one) => one === name);
    if (found !== undefined) known.push(found);
    else
      context.refuse(
        `${path}[${index}]`,
        `must be one of ${EXT_PROC_ATTRIBUTES.join(', ')}, but is ${JSON.stringify(name.slice(0, 100))}`,
      );
  }
  return filled(known);
}

function timeout(
  context: DecodeContext,
  duration: Parameters<typeof milliseconds>[0],
  leastMs: number,
  path: string,
): number | undefined {
  if (duration === undefined) return undefined;
  const ms = milliseconds(duration);
  if (ms < leastMs || ms > 3_600_000)
    context.refuse(path, `must be ${leastMs / 1000} s to 3600 s, but is ${ms / 1000} s`);
  return Math.ceil(ms);
}
