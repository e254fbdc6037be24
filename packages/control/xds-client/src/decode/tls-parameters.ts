import type { TlsParameters as ModelParameters } from '@tulle/model';
import {
  type TlsParameters,
  TlsParameters_TlsProtocol as TlsProtocol,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/common';
import type { DecodeContext } from './context.ts';
import { filled, present } from './values.ts';

/** Suites of TLS 1.2 that Envoy documents; OpenSSL has them by the same names. */
const SUITE =
  /^(?:ECDHE-(?:ECDSA|RSA)-(?:AES128-GCM-SHA256|AES256-GCM-SHA384|CHACHA20-POLY1305|AES(?:128|256)-SHA)|AES128-GCM-SHA256|AES256-GCM-SHA384|AES(?:128|256)-SHA)$/;
const CURVES: readonly string[] = ['X25519', 'P-256', 'P-384', 'P-521', 'X25519MLKEM768'];
const SIGNATURES: readonly string[] = [
  'rsa_pkcs1_sha256',
  'rsa_pkcs1_sha384',
  'rsa_pkcs1_sha512',
  'rsa_pss_rsae_sha256',
  'rsa_pss_rsae_sha384',
  'rsa_pss_rsae_sha512',
  'ecdsa_secp256r1_sha256',
  'ecdsa_secp384r1_sha384',
  'ecdsa_secp521r1_sha512',
  'ed25519',
];

type Decoded = Pick<
  ModelParameters,
  'minVersion' | 'maxVersion' | 'cipherSuites' | 'curves' | 'signatureAlgorithms'
>;

/** @param params where absent, Envoy's defaults: TLS 1.2 and 1.3 */
export function decodeTlsParameters(
  context: DecodeContext,
  params: TlsParameters | undefined,
  path: string,
): Decoded {
  const { tlsMinimumProtocolVersion: least, tlsMaximumProtocolVersion: most } = params ?? {};
  if (most === TlsProtocol.TLSv1_0 || most === TlsProtocol.TLSv1_1)
    context.refuse(`${path}.tls_maximum_protocol_version`, 'must be TLSv1_2 or TLSv1_3');
  if (least === TlsProtocol.TLSv1_0 || least === TlsProtocol.TLSv1_1)
    context.refuse(
      `${path}.tls_minimum_protocol_version`,
      'must be TLSv1_2 or TLSv1_3: what is older is broken (RFC 8996)',
    );
  if (least === TlsProtocol.TLSv1_3 && most === TlsProtocol.TLSv1_2)
    context.refuse(`${path}.tls_maximum_protocol_version`, 'is below tls_minimum_protocol_version');
  const known = (names: readonly string[], field: string, isKnown: (name: string) => boolean) => {
    for (const [index, name] of names.entries())
      if (!isKnown(name))
        context.refuse(
          `${path}.${field}[${index}]`,
          `${JSON.stringify(name)} is none that this proxy has${field === 'cipher_suites' ? ' for TLS 1.2' : ''}`,
        );
    return filled([...new Set(names)]);
  };
  return present({
    minVersion: least === TlsProtocol.TLSv1_3 ? undefined : ('TLSv1.2' as const),
    maxVersion: most === TlsProtocol.TLSv1_2 ? ('TLSv1.2' as const) : undefined,
    cipherSuites: known((params?.cipherSuites ?? []).flatMap(suitesOf), 'cipher_suites', (name) =>
      SUITE.test(name),
    ),
    curves: known(params?.ecdhCurves ?? [], 'ecdh_curves', (name) => CURVES.includes(name)),
    signatureAlgorithms: known(params?.signatureAlgorithms ?? [], 'signature_algorithms', (name) =>
      SIGNATURES.includes(name),
    ),
  });
}

/** `[A|B]`: two that are liked equally; OpenSSL has no word for that, so one follows the other. */
function suitesOf(entry: string): string[] {
  return entry.startsWith('[') && entry.endsWith(']') ? entry.slice(1, -1).split('|') : [entry];
}
