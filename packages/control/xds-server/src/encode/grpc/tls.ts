import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { DownstreamTls, UpstreamTls } from '@tulle/model';
import { type TransportSocket, TransportSocketSchema } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { CertificateValidationContextSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/common';
import {
  type CommonTlsContext,
  CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { encodeStringMatch } from '../matchers.ts';
import type { EncodeForm } from '../form.ts';
import { refuse } from './refuse.ts';

/** Mutual TLS with an instance of a certificate provider of the client's bootstrap (gRFC A29), which has certificate, key and roots. */
export function encodeClientTls(tls: UpstreamTls, form: EncodeForm): TransportSocket {
  const context = create(UpstreamTlsContextSchema, {
    commonTlsContext: common(tls, form, tls.allowedIds ?? []),
  });
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: { case: 'typedConfig', value: anyPack(UpstreamTlsContextSchema, context) },
  });
}

export function encodeServerTls(tls: DownstreamTls, form: EncodeForm): TransportSocket {
  if (tls.allowedIds !== undefined)
    refuse('/tls/allowedIds', 'who may call a gRPC server an AuthorizationPolicy says, by its filter');
  const context = create(DownstreamTlsContextSchema, {
    commonTlsContext: common(tls, form, undefined),
    requireClientCertificate: true,
  });
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: { case: 'typedConfig', value: anyPack(DownstreamTlsContextSchema, context) },
  });
}

/** Nobody's id: a name of a domain that there never is (RFC 2606), since an empty list would mean anybody. */
const NOBODY = 'spiffe://nobody.invalid';

/** @param ids whom to believe; `undefined`: whoever is of the mesh */
function common(
  { trust, certificate }: UpstreamTls | DownstreamTls,
  { workloadCertificate: own }: EncodeForm,
  ids: readonly string[] | undefined,
): CommonTlsContext {
  if (trust?.kind !== 'mesh' || (certificate !== undefined && certificate.kind !== 'workload'))
    refuse('/tls', "gRPC programs have the mesh's identity and roots, and no other certificates");
  if (own.kind !== 'provider')
    refuse(
      '/tls',
      'the bootstrap names no certificate provider for mutual TLS; let tulle agent --grpc-bootstrap write it, or say certificate: { provider: NAME } in its node metadata',
    );
  const instance = { instanceName: own.name };
  return create(CommonTlsContextSchema, {
    tlsCertificateProviderInstance: instance,
    validationContextType: {
      case: 'validationContext',
      value: create(CertificateValidationContextSchema, {
        caCertificateProviderInstance: instance,
        // The older field: gRPC does not read the typed one.
        matchSubjectAltNames: (ids === undefined ? [] : ids.length === 0 ? [NOBODY] : ids).map((id) =>
          encodeStringMatch(
            id.endsWith('/*') ? { kind: 'prefix', value: id.slice(0, -1) } : { kind: 'exact', value: id },
          ),
        ),
      }),
    },
  });
}
