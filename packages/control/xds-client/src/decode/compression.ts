import { isMessage } from '@bufbuild/protobuf';
import type { CompressionCoding, CompressionFilterConfig } from '@tulle/model';
import { BrotliSchema } from '@tulle/xds-proto/envoy/extensions/compression/brotli/compressor/v3/brotli';
import { GzipSchema } from '@tulle/xds-proto/envoy/extensions/compression/gzip/compressor/v3/gzip';
import { ZstdSchema } from '@tulle/xds-proto/envoy/extensions/compression/zstd/compressor/v3/zstd';
import type {
  Compressor,
  CompressorPerRoute,
} from '@tulle/xds-proto/envoy/extensions/filters/http/compressor/v3/compressor';
import type { DecodeContext } from './context.ts';
import { filled, present } from './values.ts';

export function decodeCompression(
  context: DecodeContext,
  compressor: Compressor,
  path: string,
): CompressionFilterConfig {
  const { compressorLibrary: library, responseDirectionConfig: response } = compressor;
  const requests = compressor.requestDirectionConfig?.commonConfig;
  // Without what stands for them, the fields that were before it hold.
  const enabled = response ? response.commonConfig?.enabled : compressor.runtimeEnabled;
  const here = `${path}.compressor_library.typed_config`;
  const message = context.open(library?.typedConfig, here);
  let coding: CompressionCoding = 'gzip';
  let level: number | undefined;
  if (isMessage(message, GzipSchema)) {
    // Which level the default is, zlib decides (zlib manual, Z_DEFAULT_COMPRESSION): 6, ours.
    level = message.compressionLevel === 0 ? undefined : message.compressionLevel;
  } else if (isMessage(message, BrotliSchema)) {
    [coding, level] = ['br', message.quality ?? 3]; // the field's default
  } else if (isMessage(message, ZstdSchema)) {
    [coding, level] = ['zstd', message.compressionLevel];
  } else if (message) context.refuse(here, `${message.$typeName} is no compressor that this proxy has`);
  const [least, most] = LEVELS[coding];
  if (level !== undefined && (level < least || level > most))
    context.refuse(here, `its level must be ${least} to ${most}, but is ${level}`);
  const common = response?.commonConfig;
  const statuses = response?.uncompressibleResponseCodes ?? [];
  const strange = statuses.findIndex(
    (status, i) => status < 200 || status > 599 || statuses.indexOf(status) < i,
  );
  if (strange !== -1)
    context.refuse(
      `${path}.response_direction_config.uncompressible_response_codes[${strange}]`,
      `must be 200 to 599, and no other's, but is ${String(statuses[strange])}`,
    );
  return present({
    codings: [coding] as const,
    minBytes: common?.minContentLength ?? (response ? undefined : compressor.contentLength) ?? 30, // the field's default
    contentTypes: filled(common?.contentType ?? (response ? [] : compressor.contentType)) ?? ENVOY_TYPES,
    levels: level === undefined ? undefined : { [coding]: level },
    skipEtag:
      !response?.weakenEtagOnCompress && (response ?? compressor).disableOnEtagHeader ? true : undefined,
    removeEtag: response?.weakenEtagOnCompress ? undefined : true,
    skipStatuses: filled(statuses),
    tellStatus: response?.statusHeaderEnabled ? true : undefined,
    hideAcceptEncoding: (response ?? compressor).removeAcceptEncodingHeader ? true : undefined,
    enabled: enabled?.defaultValue === false ? false : undefined,
    requests:
      compressor.requestDirectionConfig === undefined || requests?.enabled?.defaultValue === false
        ? undefined
        : {
            minBytes: requests?.minContentLength ?? 30,
            contentTypes: filled(requests?.contentType ?? []) ?? ENVOY_TYPES,
          },
  });
}

/** @returns `null` where the filter is off */
export function decodeCompressionRoute(
  context: DecodeContext,
  { override }: CompressorPerRoute,
  path: string,
): CompressionFilterConfig | null {
  if (override.case === 'disabled') {
    if (!override.value) context.refuse(`${path}.disabled`, 'must be true');
    return null;
  }
  if (override.case === undefined) context.refuse(path, 'says nothing: give disabled or overrides');
  const hidden = override.value?.responseDirectionConfig?.removeAcceptEncodingHeader;
  return present({ hideAcceptEncoding: hidden });
}

const LEVELS: Readonly<Record<CompressionCoding, readonly [number, number]>> = {
  gzip: [1, 9],
  br: [1, 9],
  zstd: [1, 12],
};

/** What `content_type` means when it is empty. */
const ENVOY_TYPES: readonly string[] = [
  'application/javascript',
  'application/json',
  'application/xhtml+xml',
  'image/svg+xml',
  'text/css',
  'text/html',
  'text/plain',
  'text/xml',
];
