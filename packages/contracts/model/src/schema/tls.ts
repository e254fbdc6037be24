import { stringMatchSchema } from '../filters/authz.ts';
import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, flag, listOf, name, names, oneOf, whole } from './parts.ts';

const kind = (value: string): JsonSchema => ({ const: value });

const keyPassword: JsonSchema = {
  anyOf: [fields(['file'], { file: name }), fields(['password'], { password: name })],
};

const certificate: JsonSchema = {
  anyOf: [
    fields(['kind'], { kind: kind('workload'), identity: name }),
    fields(['kind', 'certificateFile', 'keyFile'], {
      kind: kind('files'),
      certificateFile: name,
      keyFile: name,
      keyPassword,
    }),
    fields(['kind', 'certificatePem', 'keyPem'], {
      kind: kind('inline'),
      certificatePem: name,
      keyPem: name,
      keyPassword,
    }),
  ],
};

const pem: JsonSchema = { anyOf: [fields(['file'], { file: name }), fields(['pem'], { pem: name })] };

const roots: readonly JsonSchema[] = [
  fields(['kind'], { kind: kind('mesh') }),
  fields(['kind', 'caFile'], { kind: kind('files'), caFile: name, crl: pem }),
  fields(['kind', 'caPem'], { kind: kind('inline'), caPem: name, crl: pem }),
  fields(['kind'], { kind: kind('system') }),
];

const version: JsonSchema = oneOf('TLSv1.2', 'TLSv1.3');

const parameters: Readonly<Record<string, JsonSchema>> = {
  subjectAltNames: listOf(
    fields(['type', 'match'], { type: oneOf('dns', 'uri', 'email', 'ip'), match: stringMatchSchema }),
  ),
  certificateHashes: listOf({
    type: 'string',
    pattern: '^[0-9a-f]{64}$',
    description: 'SHA-256 of a certificate: 64 hexadecimal digits, lower case.',
  }),
  publicKeyHashes: listOf({
    type: 'string',
    pattern: '^[A-Za-z0-9+/]{43}=$',
    description: 'SHA-256 of a public key: base64, 44 characters.',
  }),
  alpn: names,
  minVersion: version,
  maxVersion: version,
  cipherSuites: names,
  curves: names,
  signatureAlgorithms: names,
};

/** JSON Schema of `DownstreamTls`. */
export const downstreamTlsSchema: JsonSchema = fields(['certificate'], {
  certificate,
  moreCertificates: listOf(certificate),
  trust: { anyOf: roots },
  clientCertificate: oneOf('require', 'accept', 'any', 'none'),
  allowedIds: names,
  requireServerName: flag,
  preferClientCiphers: flag,
  sessionTickets: flag,
  sessionTicketKey: {
    anyOf: [fields(['file'], { file: name }), fields(['keyBase64'], { keyBase64: name })],
  },
  sessionTimeoutMs: whole(1_000, 2_147_483_647_000),
  ...parameters,
});

/** JSON Schema of `UpstreamTls`. */
export const upstreamTlsSchema: JsonSchema = fields(['trust'], {
  certificate,
  trust: { anyOf: [...roots, fields(['kind'], { kind: kind('none') })] },
  serverName: name,
  serverNameFromHost: flag,
  verifyName: flag,
  allowedIds: names,
  sessionResumption: flag,
  ...parameters,
});
