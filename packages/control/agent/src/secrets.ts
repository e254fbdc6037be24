import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { IdentitySnapshot } from '@tulle/model';
import { parseSpiffeId } from '@tulle/spiffe';
import { encodeTrust, encodeValidator, type WireResource, wireResource } from '@tulle/xds-server';
import { SecretSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';

/** The workload's certificate and key, by the name that Istio and SPIRE give it. */
export const CERTIFICATE_SECRET = 'default';
/** Every trust domain's roots, each for ids of that domain only (SPIRE's `default_all_bundles_name`). */
export const ALL_BUNDLES_SECRET = 'ALL';

/** What an SDS client can ask for, at one moment. */
export interface AgentSecrets {
  readonly byName: ReadonlyMap<string, WireResource>;
  /** What a client gets that names nothing: the SPIFFE ids of workload and trust domains, as SPIRE's agent does it. */
  readonly unnamed: readonly string[];
}

/**
 * An identity as Envoy's secrets:
 *
 * | name | is |
 * |---|---|
 * | `default`, the workload's SPIFFE id | certificate chain and key |
 * | `ROOTCA` | the roots; with several trust domains Envoy's SPIFFE validator |
 * | `spiffe://<trust domain>` | the SPIFFE validator for that domain: its roots, and ids of that domain only |
 * | `ALL` | the SPIFFE validator for every domain |
 */
export function secretsOf({ svid, bundles }: IdentitySnapshot): AgentSecrets {
  const certificate = (name: string): WireResource =>
    wireResource(
      name,
      anyPack(
        SecretSchema,
        create(SecretSchema, {
          name,
          type: {
            case: 'tlsCertificate',
            value: {
              certificateChain: inline(svid.certificateChainPem),
              privateKey: inline(svid.privateKeyPem),
            },
          },
        }),
      ),
    );
  const ofDomains = bundles
    .filter(({ rootsPem }) => rootsPem.length > 0)
    .map((bundle) => encodeValidator(`spiffe://${bundle.trustDomain}`, [bundle]));
  const roots = encodeTrust(bundles);
  const id = parseSpiffeId(svid.spiffeId).text;
  const all = [
    certificate(CERTIFICATE_SECRET),
    certificate(id),
    ...(roots === undefined ? [] : [roots, encodeValidator(ALL_BUNDLES_SECRET, bundles)]),
    ...ofDomains,
  ];
  return {
    byName: new Map(all.map((secret) => [secret.name, secret])),
    unnamed: [id, ...ofDomains.map(({ name }) => name)],
  };
}

function inline(value: string): { specifier: { case: 'inlineString'; value: string } } {
  return { specifier: { case: 'inlineString', value } };
}
