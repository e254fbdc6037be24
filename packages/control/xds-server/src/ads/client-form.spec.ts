import { create, type JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { NodeSchema } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { formOf } from './client-form.ts';

const form = (metadata: JsonObject, clientFeatures: string[] = []): object =>
  formOf(create(NodeSchema, { id: 'n', metadata, clientFeatures })).workloadCertificate;

it("writes standard filters as Envoy's types, but to a data plane of before, which does not say that it reads them", () => {
  const release = (...clientFeatures: string[]): string =>
    formOf(create(NodeSchema, { id: 'n', clientFeatures })).release;
  expect(release('dev.tulle.atomic-changes', 'dev.tulle.model')).toBe('this');
  expect(release('dev.tulle.model')).toBe('this');
  expect(release()).toBe('this'); // somebody else's: it is written to as ever
  expect(release('dev.tulle.atomic-changes')).toBe('before');
});

describe('the certificate of a client', () => {
  it("is Tulle's own affair in Tulle's data plane, else where its metadata says, else nowhere", () => {
    expect(form({}, ['dev.tulle.atomic-changes'])).toEqual({ kind: 'own' });
    expect(form({}, ['dev.tulle.model'])).toEqual({ kind: 'own' });
    expect(form({ certificate: { sdsCluster: 'agent' } })).toEqual({
      kind: 'sds',
      cluster: 'agent',
      roots: false,
    });
    expect(form({ certificate: { sdsCluster: 'agent', roots: true } })).toMatchObject({ roots: true });
    expect(form({ certificate: { certificateFile: '/a', keyFile: '/b' } })).toEqual({
      kind: 'files',
      certificateFile: '/a',
      keyFile: '/b',
    });
    expect(form({})).toEqual({ kind: 'none' });
  });

  it.each([
    'files',
    {},
    { sdsCluster: '' },
    { sdsCluster: 1 },
    { certificateFile: '/a' },
    { sdsCluster: 'agent', keyFile: '/b' },
    { sdsCluster: 'agent', roots: 'yes' },
    ['agent'],
  ])('is refused when its metadata says %j', (certificate) => {
    expect(() => form({ certificate })).toThrow(/metadata\/certificate must be/);
  });
});

describe('what a client asks to report', () => {
  const telemetry = (given: JsonObject | string): unknown =>
    formOf(create(NodeSchema, { id: 'n', metadata: { telemetry: given } })).telemetry;
  const tracing = { cluster: 'otlp', url: 'http://127.0.0.1:4318/v1/traces', serviceName: 'web', ratio: 0.5 };

  it('is an access log and traces, as its metadata says', () => {
    expect(telemetry({ accessLogFile: '/dev/stdout', tracing })).toEqual({
      accessLogFile: '/dev/stdout',
      tracing,
    });
    expect(telemetry({})).toEqual({});
    expect(formOf(create(NodeSchema, { id: 'n' })).telemetry).toBeUndefined();
  });

  it.each<[JsonObject | string, RegExp]>([
    ['all', /metadata\/telemetry must be an object with accessLogFile, tracing/],
    [{ accessLogFile: 'log' }, /telemetry\/accessLogFile must be an absolute path, not "log"/],
    [{ log: '/x' }, /telemetry\/log is not known; there are accessLogFile, tracing/],
    [{ tracing: { ...tracing, ratio: 50 } }, /telemetry\/tracing\/ratio must be a share from 0 to 1, not 50/],
    [
      { tracing: { ...tracing, url: 'collector' } },
      /telemetry\/tracing\/url must be an http URL, not "collector"/,
    ],
    [
      { tracing: {} },
      /cluster must be a name, not undefined; .*url must be .*serviceName must be .*ratio must be/,
    ],
  ])('is refused when its metadata says %j', (given, words) => {
    expect(() => telemetry(given)).toThrow(words);
  });
});

it("sends again what Tulle's chains do, unless its metadata asks for no retries but those of routes", () => {
  const retries = (metadata: JsonObject): unknown =>
    formOf(create(NodeSchema, { id: 'n', metadata })).retries;
  expect(retries({})).toBe('default');
  expect(retries({ retries: 'default' })).toBe('default');
  expect(retries({ retries: 'asked' })).toBeUndefined();
});
