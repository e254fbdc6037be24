import fc from 'fast-check';
import { expect, it } from 'vitest';
import { healthCheckRequest, readHealthCheckResponse } from './grpc-health.ts';

function frame(...octets: number[]): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(octets.length, 1);
  return Buffer.concat([head, Buffer.from(octets)]);
}

it('writes the name of a service with its length, however long it is', () => {
  expect(healthCheckRequest('')).toEqual(frame());
  expect(healthCheckRequest('a.B')).toEqual(frame(0x0a, 3, ...Buffer.from('a.B')));
  const long = 'ä'.repeat(100);
  expect(healthCheckRequest(long)).toEqual(frame(0x0a, 0xc8, 0x01, ...Buffer.from(long)));
});

it('reads the last status of a message, and nothing into one that is broken', () => {
  expect(readHealthCheckResponse(frame(0x08, 1))).toBe('SERVING');
  expect(readHealthCheckResponse(frame(0x08, 1, 0x08, 2))).toBe('NOT_SERVING');
  expect(readHealthCheckResponse(frame(0x08, 0x81, 0x00))).toBe('SERVING');
  expect(readHealthCheckResponse(frame())).toBe('UNKNOWN');
  expect(readHealthCheckResponse(frame(0x08, 99))).toBe('UNKNOWN');
  expect(readHealthCheckResponse(frame(0x08))).toBeUndefined();
  expect(readHealthCheckResponse(Buffer.concat([Buffer.of(1), frame(0x08, 1).subarray(1)]))).toBeUndefined();
});

it('is never SERVING by accident, and never runs away', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
      const status = readHealthCheckResponse(frame(...octets));
      if (status === 'SERVING') expect([...octets]).toContain(0x08);
      readHealthCheckResponse(Buffer.from(octets));
    }),
  );
});
