import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import type { CompressionCoding, CompressionFilterConfig } from '@tulle/model';
import { BrotliSchema } from '@tulle/xds-proto/envoy/extensions/compression/brotli/compressor/v3/brotli';
import {
  type Gzip_CompressionLevel,
  GzipSchema,
} from '@tulle/xds-proto/envoy/extensions/compression/gzip/compressor/v3/gzip';
import { ZstdSchema } from '@tulle/xds-proto/envoy/extensions/compression/zstd/compressor/v3/zstd';
import {
  type Compressor,
  CompressorSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/compressor/v3/compressor';
import { hasOnly, isFilledList, isInteger, isObject, isText } from './shape.ts';

/** What Envoy's type has a place for. */
const SAID: readonly string[] = [
  'codings',
  'minBytes',
  'contentTypes',
  'levels',
  'requests',
  'removeEtag',
  'skipStatuses',
  'tellStatus',
];

type Bodies = Pick<CompressionFilterConfig, 'minBytes' | 'contentTypes'>;
type SingleCoding = CompressionFilterConfig & {
  readonly codings: readonly [CompressionCoding];
  readonly contentTypes: readonly string[];
};

/** Efforts that are meant where none is given. */
const LEVELS: Readonly<Record<CompressionCoding, number>> = { gzip: 6, br: 4, zstd: 3 };
const MAX_LEVELS: Readonly<Record<CompressionCoding, number>> = { gzip: 9, br: 9, zstd: 12 };

/** One coding and whole media types. @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeCompression(config: unknown): Compressor | undefined {
  if (!isSingleCoding(config)) return undefined;
  const [coding] = config.codings;
  const level = config.levels?.[coding] ?? LEVELS[coding];
  return create(CompressorSchema, {
    compressorLibrary: { name: coding, typedConfig: library(coding, level) },
    responseDirectionConfig: {
      commonConfig: bodies(config),
      weakenEtagOnCompress: config.removeEtag !== true,
      uncompressibleResponseCodes: [...(config.skipStatuses ?? [])],
      statusHeaderEnabled: config.tellStatus === true,
    },
    ...(config.requests !== undefined && {
      requestDirectionConfig: { commonConfig: bodies(config.requests) },
    }),
  });
}

function bodies({ minBytes, contentTypes = [] }: Bodies): {
  minContentLength: number;
  contentType: string[];
} {
  // Envoy's own least length is 30.
  return { minContentLength: minBytes ?? 1024, contentType: [...contentTypes] };
}

function library(coding: CompressionCoding, level: number): Any {
  switch (coding) {
    case 'gzip':
      return pack(GzipSchema, { compressionLevel: level as Gzip_CompressionLevel });
    case 'br':
      return pack(BrotliSchema, { quality: level });
    case 'zstd':
      return pack(ZstdSchema, { compressionLevel: level });
  }
}

function pack<Desc extends DescMessage>(desc: Desc, fields: MessageInitShape<Desc>): Any {
  return anyPack(desc, create(desc, fields));
}

function isSingleCoding(config: unknown): config is SingleCoding {
  if (!isObject(config) || !hasOnly(config, SAID)) return false;
  const { removeEtag, skipStatuses, tellStatus } = config;
  if ((removeEtag ?? true) !== true || (tellStatus ?? true) !== true) return false;
  if (skipStatuses !== undefined && !isFilledList(skipStatuses, isStatus)) return false;
  const { codings, levels, requests } = config;
  if (!Array.isArray(codings) || codings.length !== 1) return false;
  const coding: unknown = codings[0];
  return (
    (coding === 'gzip' || coding === 'br' || coding === 'zstd') &&
    areBodies(config) &&
    (requests === undefined ||
      (isObject(requests) && hasOnly(requests, ['minBytes', 'contentTypes']) && areBodies(requests))) &&
    (levels === undefined ||
      (isObject(levels) &&
        hasOnly(levels, [coding]) &&
        (levels[coding] === undefined || isInteger(levels[coding], 1, MAX_LEVELS[coding]))))
  );
}

function areBodies({ minBytes, contentTypes }: Readonly<Record<string, unknown>>): boolean {
  return (
    (minBytes === undefined || isInteger(minBytes, 0, 1_048_576)) && isFilledList(contentTypes, isWholeType)
  );
}

function isStatus(status: unknown): status is number {
  return isInteger(status, 200, 599);
}

/** Envoy compares whole types. */
function isWholeType(type: unknown): type is string {
  return isText(type) && /^[a-z0-9.!#$&^_+-]+\/[a-z0-9.!#$&^_+-]+$/.test(type);
}
