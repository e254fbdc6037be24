import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { TrustBundle } from '@tulle/model';
import type { CertificateValidationContextSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/common';
import { type Secret, SecretSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import { SPIFFECertValidatorConfigSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config';
import { MESH_ROOTS_SECRET } from '../wire.ts';
import type { Fields } from './values.ts';
import { type WireResource, wireResource } from './wire-resource.ts';

/** The mesh's roots as the secret `ROOTCA`. @returns `undefined` while there are none */
export function encodeTrust(bundles: readonly TrustBundle[]): WireResource | undefined {
  if (!bundles.some(({ rootsPem }) => rootsPem.length > 0)) return undefined;
  return wireResource(MESH_ROOTS_SECRET, anyPack(SecretSchema, secret(bundles)));
}

/** Envoy's SPIFFE validator for trust domains as a secret: each domain's roots judge ids of that domain only. */
export function encodeValidator(name: string, bundles: readonly TrustBundle[]): WireResource {
  const value = create(SecretSchema, {
    name,
    type: { case: 'validationContext', value: validator(bundles) },
  });
  return wireResource(name, anyPack(SecretSchema, value));
}

/**
 * With one trust domain its roots. With several each domain's roots judge ids of that domain only (decision D14), which
 * is Envoy's SPIFFE validator.
 */
function secret(bundles: readonly TrustBundle[]): Secret {
  const [only, ...more] = bundles;
  return create(SecretSchema, {
    name: MESH_ROOTS_SECRET,
    type: {
      case: 'validationContext',
      value: only && more.length === 0 ? { trustedCa: inline(only) } : validator(bundles),
    },
  });
}

function validator(bundles: readonly TrustBundle[]): Fields<typeof CertificateValidationContextSchema> {
  return {
    customValidatorConfig: {
      name: 'envoy.tls.cert_validator.spiffe',
      typedConfig: anyPack(
        SPIFFECertValidatorConfigSchema,
        create(SPIFFECertValidatorConfigSchema, {
          trustDomains: bundles
            .toSorted((a, b) => (a.trustDomain < b.trustDomain ? -1 : 1))
            .map((bundle) => ({ name: bundle.trustDomain, trustBundle: inline(bundle) })),
        }),
      ),
    },
  };
}

function inline({ rootsPem }: TrustBundle): { specifier: { case: 'inlineString'; value: string } } {
  const value = rootsPem.map((pem) => (pem.endsWith('\n') ? pem : `${pem}\n`)).join('');
  return { specifier: { case: 'inlineString', value } };
}
