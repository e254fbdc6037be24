import { create, fromBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ResourceSchema } from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { describe, expect, it } from 'vitest';
import { wireResource, withoutTtl } from './wire-resource.ts';

describe('the bytes of a resource', () => {
  const message = anyPack(ClusterSchema, create(ClusterSchema, { name: 'a' }));
  it.each([
    ['without a time to live', wireResource('a', message)],
    ['with one', wireResource('a', message, 1_000)],
    ['of one taken away', withoutTtl(wireResource('a', message, 1_000))],
  ])('keep no more memory than they are long: %s', (_, { bytes, name, version }) => {
    expect(bytes.buffer.byteLength).toBe(bytes.length);
    expect(fromBinary(ResourceSchema, bytes)).toMatchObject({ name, version, resource: message });
  });
});
