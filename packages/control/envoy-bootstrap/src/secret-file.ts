import { create, createRegistry, fromBinary, fromJson } from '@bufbuild/protobuf';
import { anyIs, anyUnpack } from '@bufbuild/protobuf/wkt';
import { type Secret, SecretSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import { DiscoveryResponseSchema } from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { parseText } from './text/config-text.ts';
import { readableJson } from './text/read-json.ts';

const TYPES = createRegistry(SecretSchema);

/**
 * Reads the DiscoveryResponse of a file of secrets (Envoy: `path_config_source`).
 * @param name of the file; what ends in `.pb` is binary, everything else YAML or JSON
 * @param secretName which of its secrets is wanted
 * @returns why there is none, as text
 */
export function readSecretFile(name: string, content: Uint8Array, secretName: string): Secret | string {
  let response = create(DiscoveryResponseSchema);
  try {
    if (name.endsWith('.pb')) response = fromBinary(DiscoveryResponseSchema, content);
    else {
      const { value, faults } = parseText({ name, text: Buffer.from(content).toString('utf8') });
      const [fault] = faults;
      if (fault !== undefined) return `${name} is no YAML: ${fault.message}`;
      const issues: string[] = [];
      const report = (path: string, message: string): void =>
        void issues.push(path === '' ? message : `${path}: ${message}`);
      const json = readableJson(DiscoveryResponseSchema, value, { registry: TYPES, report, unknown: report });
      if (issues.length > 0) return `${name}: ${issues.join('; ')}`;
      response = fromJson(DiscoveryResponseSchema, json, { registry: TYPES });
    }
  } catch (error) {
    return `${name} is no DiscoveryResponse: ${error instanceof Error ? error.message : String(error)}`;
  }
  const found: string[] = [];
  for (const resource of response.resources) {
    const secret = anyIs(resource, SecretSchema) ? anyUnpack(resource, SecretSchema) : undefined;
    if (secret === undefined) return `${name} holds a ${resource.typeUrl}; every resource must be a Secret`;
    if (secret.name === secretName) return secret;
    found.push(secret.name);
  }
  return `${name} holds no secret ${JSON.stringify(secretName)}${found.length === 0 ? '' : `, but ${found.join(', ')}`}`;
}
