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
    expect(form({ certificate: { sdsCluster: 'agent' } })).toEqual({ kind: 'sds', cluster: 'agent' });
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
    ['agent'],
  ])('is refused when its metadata says %j', (certificate) => {
    expect(() => form({ certificate })).toThrow(/metadata\/certificate must be/);
  });
});
