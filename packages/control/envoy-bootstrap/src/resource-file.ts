import { fromBinary, fromJson } from '@bufbuild/protobuf';
import { resourceTypes } from '@tulle/xds-client';
import {
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { parseText } from './text/config-text.ts';
import { readableJson } from './text/read-json.ts';

/**
 * Reads the DiscoveryResponse of a file of resources (Envoy: `path_config_source`).
 * @param name of the file; what ends in `.pb` is binary, everything else YAML or JSON
 * @throws Error that names every fault
 */
export function readResourceFile(name: string, content: Uint8Array): DiscoveryResponse {
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
  const json = readableJson(DiscoveryResponseSchema, value, {
    registry: resourceTypes,
    report,
    unknown: report,
  });
  if (issues.length > 0) throw new Error(`${name}: ${issues.join('; ')}`);
  return fromJson(DiscoveryResponseSchema, json, { registry: resourceTypes });
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
