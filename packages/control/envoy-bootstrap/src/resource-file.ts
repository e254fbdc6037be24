import { createRegistry, fromBinary, fromJson, type Registry } from '@bufbuild/protobuf';
import { anyIs, anyUnpack } from '@bufbuild/protobuf/wkt';
import { resourceTypes } from '@tulle/xds-client';
import { type Secret, SecretSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import {
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { parseText } from './text/config-text.ts';
import { readableJson } from './text/read-json.ts';

const SECRETS = createRegistry(SecretSchema);

/**
 * Reads the DiscoveryResponse of a file of resources (Envoy: `path_config_source`).
 * @param name of the file; what ends in `.pb` is binary, everything else YAML or JSON
 * @throws Error that names every fault
 */
export function readResourceFile(
  name: string,
  content: Uint8Array,
  registry: Registry = resourceTypes,
): DiscoveryResponse {
  if (name.endsWith('.pb')) {
    try {
      return fromBinary(DiscoveryResponseSchema, content);
    } catch (cause) {
      throw new Error(`${name} is no DiscoveryResponse: ${reasonOf(cause)}`, { cause });
    }
  }
  const { value, faults } = parseText({ name, text: Buffer.from(content).toString('utf8') });
  const [fault] = faults;
  if (fault !== undefined) throw new Error(`${name} is no YAML: ${fault.message}`);
  const issues: string[] = [];
  const report = (path: string, message: string): void =>
    void issues.push(path === '' ? message : `${path}: ${message}`);
  const json = readableJson(DiscoveryResponseSchema, value, { registry, report, unknown: report });
  if (issues.length > 0) throw new Error(`${name}: ${issues.join('; ')}`);
  return fromJson(DiscoveryResponseSchema, json, { registry });
}

/**
 * Reads one secret of a file of secrets.
 * @param secretName which of its secrets is wanted
 * @returns why there is none, as text
 */
export function readSecretFile(name: string, content: Uint8Array, secretName: string): Secret | string {
  let response: DiscoveryResponse;
  try {
    response = readResourceFile(name, content, SECRETS);
  } catch (error) {
    return reasonOf(error);
  }
  const found: string[] = [];
  for (const resource of response.resources) {
    const secret = anyIs(resource, SecretSchema) ? anyUnpack(resource, SecretSchema) : undefined;
    if (secret === undefined) return `${name} holds a ${resource.typeUrl}; every resource must be a Secret`;
    if (secret.name === secretName) return secret;
    found.push(secret.name);
  }
  const others = found.length === 0 ? '' : `, but ${found.join(', ')}`;
  return `${name} holds no secret ${JSON.stringify(secretName)}${others}`;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
