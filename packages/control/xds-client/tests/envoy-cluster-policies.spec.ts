import { describe, expect, it } from 'vitest';
import type { JsonObject } from '@bufbuild/protobuf';
import { OmitHostMetadataConfigSchema } from '@tulle/xds-proto/envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config';
import { clusterOf, refusedAt } from './envoy-json.ts';

describe('what clusters say in the place of routes', () => {
  const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const options = (fields: JsonObject): JsonObject => ({
    typed_extension_protocol_options: {
      [OPTIONS]: {
        '@type': `type.googleapis.com/${OPTIONS}`,
        explicit_http_config: { http_protocol_options: {} },
        ...fields,
      },
    },
  });
  const at = `typed_extension_protocol_options["${OPTIONS}"]`;

  it('are retries, but for the time limits of attempts, which Envoy goes by the route for', () => {
    const metadata = { filter_metadata: { 'envoy.lb': { v: '2' } } };
    const omit = {
      '@type': `type.googleapis.com/${OmitHostMetadataConfigSchema.typeName}`,
      metadata_match: metadata,
    };
    expect(
      clusterOf(
        options({
          retry_policy: {
            retry_on: 'gateway-error',
            num_retries: 4,
            per_try_timeout: '1s',
            retry_host_predicate: [{ name: 'x', typed_config: omit }],
          },
        }),
        OmitHostMetadataConfigSchema,
      ).retry,
    ).toEqual({
      policy: { retries: 4, on: ['gateway-error', 'reset', 'per-try-timeout', 'connect-failure'] },
      avoidOnRetry: [{ v: '2' }],
    });
    expect(clusterOf(options({ retry_policy: {} })).retry).toEqual({ policy: { retries: 0 } });
    expect(refusedAt(options({ retry_policy: { retry_on: 'x' } }))).toEqual([`${at}.retry_policy.retry_on`]);
  });

  it('are mirrors', () => {
    expect(
      clusterOf(options({ request_mirror_policies: [{ cluster: 'm' }, { cluster_header: 'X-To' }] })).mirrors,
    ).toEqual([
      { cluster: 'm', shadowHost: true },
      { clusterHeader: 'x-to', shadowHost: true },
    ]);
    expect(refusedAt(options({ request_mirror_policies: [{}] }))).toEqual([
      `${at}.request_mirror_policies[0].cluster`,
    ]);
  });

  it('are answers that count as failures, by their heads', () => {
    const by = (error_matcher: JsonObject): JsonObject => options({ outlier_detection: { error_matcher } });
    const field = (name: string): JsonObject => ({
      http_response_headers_match: { headers: [{ name, string_match: { exact: '1' } }] },
    });
    const asked = (name: string): object => ({
      kind: 'all',
      of: [{ kind: 'header', header: { name, match: { kind: 'exact', value: '1' } } }],
    });
    expect(
      clusterOf(by({ or_match: { rules: [field('x-a'), { not_match: field(':status') }] } })).failedAnswers,
    ).toEqual({ kind: 'any', of: [asked('x-a'), { kind: 'not', of: asked(':status') }] });
    expect(
      clusterOf(by({ and_match: { rules: [field('x-a'), { any_match: true }] } })).failedAnswers,
    ).toEqual({ kind: 'all', of: [asked('x-a'), { kind: 'all', of: [] }] });
    const matcher = `${at}.outlier_detection.error_matcher`;
    expect(refusedAt(options({ outlier_detection: {} }))).toEqual([matcher]);
    expect(refusedAt(by({}))).toEqual([matcher]);
    expect(refusedAt(by({ or_match: { rules: [field('x-a')] } }))).toEqual([`${matcher}.or_match.rules`]);
    expect(refusedAt(by({ any_match: false }))).toEqual([`${matcher}.any_match`]);
    expect(refusedAt(by(field(':path')))).toEqual([`${matcher}.http_response_headers_match.headers[0].name`]);
    // Envoy takes them, and they never hold.
    for (const never of ['http_request_headers_match', 'http_response_trailers_match'])
      expect(refusedAt(by({ [never]: { headers: [{ name: 'x' }] } }))).toEqual([`${matcher}.${never}`]);
  });

  it('are retries as a share of what was sent lately', () => {
    const shared = (budget_interval: string): unknown =>
      clusterOf({ circuit_breakers: { thresholds: [{ retry_budget: { budget_interval } }] } }).limits
        ?.retryConcurrency;
    expect(shared('2.5s')).toEqual({ intervalMs: 2_500 });
    expect(shared('0.0005s')).toEqual({});
  });
});
