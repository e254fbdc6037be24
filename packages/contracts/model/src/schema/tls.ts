import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, flag, name, names, oneOf } from './parts.ts';

const kind = (value: string): JsonSchema => ({ const: value });

const certificate: JsonSchema = {
  anyOf: [
    fields(['kind'], { kind: kind('workload') }),
    fields(['kind', 'certificateFile', 'keyFile'], {
      kind: kind('files'),
      certificateFile: name,
      keyFile: name,
    }),
    fields(['kind', 'certificatePem', 'keyPem'], {
      kind: kind('inline'),
      certificatePem: name,
      keyPem: name,
    }),
  ],
};

const trust: JsonSchema = {
  anyOf: [
    fields(['kind'], { kind: kind('mesh') }),
    fields(['kind', 'caFile'], { kind: kind('files'), caFile: name }),
    fields(['kind', 'caPem'], { kind: kind('inline'), caPem: name }),
    fields(['kind'], { kind: kind('system') }),
  ],
};

const minVersion: JsonSchema = oneOf('TLSv1.2', 'TLSv1.3');

/** JSON Schema of `DownstreamTls`. */
export const downstreamTlsSchema: JsonSchema = fields(['certificate'], {
  certificate,
  trust,
  clientCertificate: oneOf('require', 'accept', 'none'),
  allowedIds: names,
  alpn: names,
  minVersion,
});

/** JSON Schema of `UpstreamTls`. */
export const upstreamTlsSchema: JsonSchema = fields(['trust'], {
  certificate,
  trust,
  serverName: name,
  allowedIds: names,
  alpn: names,
  minVersion,
  sessionResumption: flag,
});
