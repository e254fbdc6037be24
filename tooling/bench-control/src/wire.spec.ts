import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { NodeSchema } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { describe, expect, it } from 'vitest';
import { Messages, readResponse, TYPES, writeRequest } from './wire.ts';

describe('requests written by hand', () => {
  it('are what protobuf reads', () => {
    const node = toBinary(NodeSchema, create(NodeSchema, { id: 'a' }));
    const subscribe = ['x', 'y'.repeat(300)];
    const bytes = writeRequest({ typeUrl: TYPES.endpoint, node, subscribe, nonce: '7' });
    const [message] = new Messages().take(bytes);
    expect(fromBinary(DeltaDiscoveryRequestSchema, message as Buffer)).toMatchObject({
      node: { id: 'a' },
      typeUrl: TYPES.endpoint,
      resourceNamesSubscribe: subscribe,
      responseNonce: '7',
    });
  });
});

describe('responses read by hand', () => {
  it('say what protobuf wrote', () => {
    const bytes = toBinary(
      DeltaDiscoveryResponseSchema,
      create(DeltaDiscoveryResponseSchema, {
        systemVersionInfo: 'c-1',
        typeUrl: TYPES.route,
        nonce: '12',
        removedResources: ['gone'],
        resources: [
          { name: 'one', version: 'v', ttl: { seconds: 3n, nanos: 0 } },
          { name: 'two', resource: { typeUrl: TYPES.route, value: new Uint8Array(400) } },
        ],
        controlPlane: { identifier: JSON.stringify({ identifier: 'tulle', change: 'c-1', last: true }) },
      }),
    );
    expect(readResponse(Buffer.from(bytes))).toEqual({
      typeUrl: TYPES.route,
      nonce: '12',
      change: 'c-1',
      names: ['one', 'two'],
      removed: ['gone'],
      last: true,
    });
  });

  it('are cut out of the stream wherever it breaks', () => {
    const whole = Buffer.concat([
      writeRequest({ typeUrl: 'a' }),
      writeRequest({ typeUrl: 'b'.repeat(1000), nonce: '1' }),
    ]);
    for (const size of [1, 2, 3, 7, 100, 2000]) {
      const messages = new Messages();
      const found: Buffer[] = [];
      for (let at = 0; at < whole.length; at += size)
        found.push(...messages.take(whole.subarray(at, at + size)));
      expect(found.map((one) => fromBinary(DeltaDiscoveryRequestSchema, one).typeUrl)).toEqual([
        'a',
        'b'.repeat(1000),
      ]);
    }
  });
});
