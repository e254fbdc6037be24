import { FieldTable } from '@tulle/fields';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BAD_REPORT, NO_REPORT, readLoadReport } from './load-report.ts';

function read(name: string, value: string): ReturnType<typeof readLoadReport> {
  const fields = new FieldTable();
  fields.add(name, value);
  return readLoadReport(fields);
}

const report = (utilization: number, requestsPerSecond: number, errorsPerSecond: number) => ({
  utilization,
  requestsPerSecond,
  errorsPerSecond,
});

/** A field of 64 bits. */
function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = (field << 3) | 1;
  bytes.writeDoubleLE(value, 1);
  return bytes;
}

describe('a report of load', () => {
  it('is text, JSON or protobuf, in either field', () => {
    expect(
      read('endpoint-load-metrics', 'TEXT cpu_utilization=0.3, rps_fractional=10,eps=2,mem_utilization=0.1'),
    ).toEqual(report(0.3, 10, 2));
    expect(
      read('endpoint-load-metrics', 'JSON {"applicationUtilization":0.7,"rps_fractional":9,"x":{}}'),
    ).toEqual(report(0.7, 9, 0));
    const message = Buffer.concat([
      double(1, 0.2),
      Buffer.from([0x18, 0xac, 0x02]), // rps = 300, deprecated
      Buffer.from([0x22, 0x03, 0x0a, 0x01, 0x61]), // request_cost
      double(6, 50),
      double(7, 1),
      double(9, 0.9),
    ]).toString('base64');
    expect(read('endpoint-load-metrics-bin', message)).toEqual(report(0.9, 50, 1));
    expect(read('endpoint-load-metrics', `BIN ${message.replaceAll('=', '')}`)).toEqual(report(0.9, 50, 1));
  });

  it('goes by the application before the processor, where the application says something', () => {
    expect(
      read('endpoint-load-metrics', 'TEXT cpu_utilization=0.3,application_utilization=0,rps_fractional=1'),
    ).toEqual(report(0.3, 1, 0));
  });

  it('need not be there, and may be nonsense', () => {
    expect(read('x', 'y')).toBe(NO_REPORT);
    for (const value of [
      '',
      'TEXT',
      'TEXT a',
      'TEXT eps=x',
      'TEXT eps=',
      'XML <a/>',
      'JSON {',
      'JSON 1',
      'JSON {"eps":"x"}',
    ])
      expect(read('endpoint-load-metrics', value), value).toBe(BAD_REPORT);
    for (const bytes of [[0x09, 1], [0x0a, 9], [0x0b], [0x0d, 1], [0x18, 0xff], [0xff]])
      expect(read('endpoint-load-metrics-bin', Buffer.from(bytes).toString('base64'))).toBe(BAD_REPORT);
  });

  it('never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.string(), (bytes, text) => {
        read('endpoint-load-metrics-bin', Buffer.from(bytes).toString('base64'));
        read('endpoint-load-metrics', `TEXT ${text}`);
        read('endpoint-load-metrics', `JSON ${text}`);
      }),
    );
  });
});
