import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, flag, listOf, name, names, oneOf, text, whole } from './parts.ts';

const detection: JsonSchema = {
  anyOf: [
    fields(['kind'], {
      kind: { const: 'forwarded-for' },
      trustedHops: whole(0, 1_000),
      trustedCidrs: names,
      append: flag,
    }),
    fields(['kind', 'name'], {
      kind: { const: 'header' },
      name,
      internal: flag,
      refuseStatus: whole(400, 511),
    }),
  ],
};

/** JSON Schema of `Forwarding`. */
export const forwardingSchema: JsonSchema = fields(['client'], {
  client: oneOf('peer', 'header'),
  trustedHops: whole(0, 1_000),
  append: flag,
  port: flag,
  clientCertificate: oneOf('sanitize', 'forward', 'append', 'replace', 'always-forward'),
  certificateParts: listOf(oneOf('subject', 'cert', 'chain', 'dns', 'uri')),
  internalCidrs: names,
  scheme: oneOf('http', 'https'),
  node: fields(['cluster', 'id'], { cluster: name, id: text }),
  detection: listOf(detection),
});
