import { create } from '@bufbuild/protobuf';
import type { ExtProcFilterConfig, ExtProcRouteConfig } from '@tulle/model';
import type { GrpcServiceSchema } from '@tulle/xds-proto/envoy/config/core/v3/grpc_service';
import type { HeaderMutationRulesSchema } from '@tulle/xds-proto/envoy/config/common/mutation_rules/v3/mutation_rules';
import {
  type ExternalProcessor,
  ExternalProcessor_RouteCacheAction as RouteCacheAction,
  ExternalProcessorSchema,
  type ExtProcPerRoute,
  ExtProcPerRouteSchema,
  type MetadataOptionsSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_proc/v3/ext_proc';
import {
  ProcessingMode_BodySendMode as BodySendMode,
  ProcessingMode_HeaderSendMode as HeaderSendMode,
  type ProcessingModeSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_proc/v3/processing_mode';
import { fieldNames } from './field-names.ts';
import { need, orInexpressible } from './inexpressible.ts';
import { hasOnly, isInteger, isObject, isText } from './shape.ts';
import { duration, type Fields } from './values.ts';

const REMATCHES: ReadonlyMap<unknown, RouteCacheAction> = new Map<unknown, RouteCacheAction>([
  [undefined, RouteCacheAction.DEFAULT],
  ['asked', RouteCacheAction.DEFAULT],
  ['always', RouteCacheAction.CLEAR],
  ['never', RouteCacheAction.RETAIN],
]);

/** How much is collected is a matter of Envoy's connections. @returns `undefined` where its type would not say the same */
export function encodeExtProc(config: unknown): ExternalProcessor | undefined {
  return orInexpressible(() => {
    need(
      isObject(config) &&
        hasOnly(config, [
          'service',
          'mode',
          'messageTimeoutMs',
          'maxMessageTimeoutMs',
          'failureMode',
          'allowModeOverride',
          'allowImmediateResponse',
          'mutationRules',
          'sentHeaders',
          'withheldHeaders',
          'requestAttributes',
          'responseAttributes',
          'sentMetadata',
          'receivedMetadata',
          'rematch',
        ]),
    );
    const { messageTimeoutMs, maxMessageTimeoutMs, failureMode, sentHeaders, withheldHeaders } =
      config as Partial<ExtProcFilterConfig>;
    const { allowModeOverride, allowImmediateResponse, rematch } = config as Partial<ExtProcFilterConfig>;
    need(messageTimeoutMs === undefined || isInteger(messageTimeoutMs, 1, 3_600_000));
    need(maxMessageTimeoutMs === undefined || isInteger(maxMessageTimeoutMs, 0, 3_600_000));
    need([undefined, 'deny', 'allow'].includes(failureMode));
    const routeCacheAction = REMATCHES.get(rematch);
    need(routeCacheAction !== undefined);
    need(isFlag(allowModeOverride) && isFlag(allowImmediateResponse));
    return create(ExternalProcessorSchema, {
      grpcService: serviceOf(config['service']),
      ...(config['mode'] !== undefined && { processingMode: modeOf(config['mode']) }),
      ...(messageTimeoutMs !== undefined && { messageTimeout: duration(messageTimeoutMs) }),
      ...(maxMessageTimeoutMs !== undefined && { maxMessageTimeout: duration(maxMessageTimeoutMs) }),
      failureModeAllow: failureMode === 'allow',
      allowModeOverride: allowModeOverride === true,
      disableImmediateResponse: allowImmediateResponse === false,
      ...(config['mutationRules'] !== undefined && { mutationRules: rulesOf(config['mutationRules']) }),
      ...((sentHeaders !== undefined || withheldHeaders !== undefined) && {
        forwardRules: {
          ...(sentHeaders !== undefined && { allowedHeaders: fieldNames(sentHeaders) }),
          ...(withheldHeaders !== undefined && { disallowedHeaders: fieldNames(withheldHeaders) }),
        },
      }),
      requestAttributes: textsOf(config['requestAttributes']),
      responseAttributes: textsOf(config['responseAttributes']),
      ...metadataOf(config),
      routeCacheAction,
    });
  });
}

/** @returns `undefined` where Envoy's type would not say the same */
export function encodeExtProcRoute(config: unknown): ExtProcPerRoute | undefined {
  return orInexpressible(() => {
    need(
      isObject(config) &&
        hasOnly(config, [
          'mode',
          'service',
          'failureMode',
          'requestAttributes',
          'responseAttributes',
          'sentMetadata',
          'receivedMetadata',
          'addedMetadata',
        ]),
    );
    const { addedMetadata = [], failureMode } = config as ExtProcRouteConfig;
    need([undefined, 'deny', 'allow'].includes(failureMode));
    need(Array.isArray(addedMetadata));
    const value = {
      ...(config['mode'] !== undefined && { processingMode: modeOf(config['mode']) }),
      ...(config['service'] !== undefined && { grpcService: serviceOf(config['service']) }),
      ...metadataOf(config),
      requestAttributes: textsOf(config['requestAttributes']),
      responseAttributes: textsOf(config['responseAttributes']),
      ...(failureMode !== undefined && { failureModeAllow: failureMode === 'allow' }),
      grpcInitialMetadata: addedMetadata.map((one: unknown) => {
        need(isObject(one) && isText(one['name']) && isText(one['value']));
        return { key: one['name'], value: one['value'] };
      }),
    };
    return create(ExtProcPerRouteSchema, { override: { case: 'overrides', value } });
  });
}

function isFlag(value: unknown): boolean {
  return value === undefined || typeof value === 'boolean';
}

function serviceOf(service: unknown): Fields<typeof GrpcServiceSchema> {
  need(isObject(service) && hasOnly(service, ['cluster', 'authority']));
  const { cluster, authority = '' } = service;
  need(isText(cluster) && cluster !== '' && isText(authority));
  return { targetSpecifier: { case: 'envoyGrpc', value: { clusterName: cluster, authority } } };
}

const BODIES: ReadonlyMap<unknown, BodySendMode> = new Map<unknown, BodySendMode>([
  [undefined, BodySendMode.NONE],
  ['none', BodySendMode.NONE],
  ['streamed', BodySendMode.STREAMED],
  ['buffered', BodySendMode.BUFFERED],
  ['buffered-partial', BodySendMode.BUFFERED_PARTIAL],
]);
const HEADS: ReadonlyMap<unknown, HeaderSendMode> = new Map<unknown, HeaderSendMode>([
  [undefined, HeaderSendMode.DEFAULT],
  ['send', HeaderSendMode.SEND],
  ['skip', HeaderSendMode.SKIP],
]);

function modeOf(mode: unknown): Fields<typeof ProcessingModeSchema> {
  need(
    isObject(mode) &&
      hasOnly(mode, [
        'requestHeaders',
        'responseHeaders',
        'requestBody',
        'responseBody',
        'requestTrailers',
        'responseTrailers',
      ]),
  );
  const read = <T>(values: ReadonlyMap<unknown, T>, name: string): T => {
    const value = values.get(mode[name]);
    need(value !== undefined);
    return value;
  };
  return {
    requestHeaderMode: read(HEADS, 'requestHeaders'),
    responseHeaderMode: read(HEADS, 'responseHeaders'),
    requestBodyMode: read(BODIES, 'requestBody'),
    responseBodyMode: read(BODIES, 'responseBody'),
    requestTrailerMode: read(HEADS, 'requestTrailers'),
    responseTrailerMode: read(HEADS, 'responseTrailers'),
  };
}

const FLAGS = ['allowRouting', 'allowEnvoy', 'disallowSystem', 'disallowAll', 'disallowedIsError'] as const;

function rulesOf(rules: unknown): Fields<typeof HeaderMutationRulesSchema> {
  need(isObject(rules) && hasOnly(rules, [...FLAGS, 'allowPattern', 'disallowPattern']));
  const pattern = (regex: unknown): { regex: string } => {
    need(isText(regex) && regex !== '');
    return { regex };
  };
  for (const flag of FLAGS) need(isFlag(rules[flag]));
  const { allowPattern, disallowPattern } = rules;
  const flag = (name: (typeof FLAGS)[number]): boolean => rules[name] === true;
  return {
    allowAllRouting: flag('allowRouting'),
    allowEnvoy: flag('allowEnvoy'),
    disallowSystem: flag('disallowSystem'),
    disallowAll: flag('disallowAll'),
    disallowIsError: flag('disallowedIsError'),
    ...(allowPattern !== undefined && { allowExpression: pattern(allowPattern) }),
    ...(disallowPattern !== undefined && { disallowExpression: pattern(disallowPattern) }),
  };
}

function metadataOf(config: Readonly<Record<string, unknown>>): {
  metadataOptions?: Fields<typeof MetadataOptionsSchema>;
} {
  const { sentMetadata, receivedMetadata } = config;
  if (sentMetadata === undefined && receivedMetadata === undefined) return {};
  return {
    metadataOptions: {
      ...(sentMetadata !== undefined && { forwardingNamespaces: { untyped: textsOf(sentMetadata) } }),
      ...(receivedMetadata !== undefined && { receivingNamespaces: { untyped: textsOf(receivedMetadata) } }),
    },
  };
}

function textsOf(list: unknown = []): string[] {
  need(Array.isArray(list));
  return list.map((one: unknown) => {
    need(isText(one) && one !== '');
    return one;
  });
}
