import { create, type JsonObject } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { UpstreamTlsContextSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { describe, expect, it, vi } from 'vitest';
import { createResourceDecoder } from '../src/decode/resource.ts';
import { clusterOf, decodeCluster, refusedAt, tls } from './envoy-json.ts';

const tlsOf = (context: JsonObject) => clusterOf(tls(context)).tls;
const validation = (context: JsonObject): JsonObject => ({
  common_tls_context: { validation_context: context },
});
const ROOTS = { trusted_ca: { filename: '/ca.pem' } };
const AT = 'transport_socket.typed_config.common_tls_context';

describe("Envoy's UpstreamTlsContext", () => {
  it('believes anybody where nothing says whom, and speaks 1.2 as well, as Envoy does', () => {
    expect(tlsOf({ sni: 'www.envoyproxy.io' })).toEqual({
      trust: { kind: 'none' },
      serverName: 'www.envoyproxy.io',
      minVersion: 'TLSv1.2',
    });
  });

  it('looks at no name unless it is told one', () => {
    expect(tlsOf(validation(ROOTS))).toMatchObject({
      trust: { kind: 'files', caFile: '/ca.pem' },
      verifyName: false,
    });
    const named = { match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'a.test' } }] };
    expect(tlsOf({ sni: 'a.test', ...validation({ ...ROOTS, ...named }) })).toEqual({
      trust: { kind: 'files', caFile: '/ca.pem' },
      serverName: 'a.test',
      minVersion: 'TLSv1.2',
    });
  });

  it('looks at the server name in place of any other where it is told so', () => {
    const names = {
      match_typed_subject_alt_names: [
        { san_type: 'DNS', matcher: { exact: 'b.test' } },
        { san_type: 'URI', matcher: { exact: 'spiffe://td/x' } },
      ],
    };
    expect(
      tlsOf({ sni: 'a.test', auto_sni_san_validation: true, ...validation({ ...ROOTS, ...names }) }),
    ).toEqual({
      trust: { kind: 'files', caFile: '/ca.pem' },
      serverName: 'a.test',
      verifyName: true,
      minVersion: 'TLSv1.2',
    });
    expect(refusedAt(tls({ sni: 'a.test', auto_sni_san_validation: true }))).toEqual([
      'transport_socket.typed_config.auto_sni_san_validation',
    ]);
  });

  it('asks by the names of endpoints where it is told so', () => {
    expect(tlsOf({ auto_host_sni: true })).toMatchObject({ serverNameFromHost: true });
  });

  it('opens keys with their passwords', () => {
    const certificate = (password: JsonObject): JsonObject => ({
      common_tls_context: {
        tls_certificates: [
          { certificate_chain: { filename: '/c' }, private_key: { filename: '/k' }, password },
        ],
      },
    });
    expect(tlsOf(certificate({ inline_string: 'word' }))?.certificate).toEqual({
      kind: 'files',
      certificateFile: '/c',
      keyFile: '/k',
      keyPassword: { password: 'word' },
    });
    expect(tlsOf(certificate({ filename: '/w' }))?.certificate).toMatchObject({
      keyPassword: { file: '/w' },
    });
  });

  it('looks at the name that is asked for where a control plane of Tulle says none, as its older releases do', () => {
    const named = create(ClusterSchema, {
      name: 'c',
      transportSocket: {
        name: 'tls',
        configType: {
          case: 'typedConfig',
          value: anyPack(
            UpstreamTlsContextSchema,
            create(UpstreamTlsContextSchema, {
              sni: 'a.test',
              commonTlsContext: {
                validationContextType: {
                  case: 'validationContext',
                  value: { trustedCa: { specifier: { case: 'filename', value: '/ca.pem' } } },
                },
              },
            }),
          ),
        },
      },
    });
    const decoded = createResourceDecoder().decode('cluster', anyPack(ClusterSchema, named));
    expect(decoded.ok && decoded.resource.tls).toEqual({
      trust: { kind: 'files', caFile: '/ca.pem' },
      serverName: 'a.test',
      minVersion: 'TLSv1.2',
    });
  });

  it('may name peers by every type of name, and by the deprecated untyped list', () => {
    expect(
      tlsOf(
        validation({
          ...ROOTS,
          match_typed_subject_alt_names: [
            { san_type: 'EMAIL', matcher: { suffix: '@a.test', ignore_case: true } },
            { san_type: 'IP_ADDRESS', matcher: { safe_regex: { regex: '10\\..*' } } },
          ],
        }),
      )?.subjectAltNames,
    ).toEqual([
      { type: 'email', match: { kind: 'suffix', value: '@a.test', ignoreCase: true } },
      { type: 'ip', match: { kind: 'regex', value: '10\\..*' } },
    ]);
    expect(
      tlsOf(validation({ ...ROOTS, match_subject_alt_names: [{ exact: 'a.test' }] }))?.subjectAltNames?.map(
        ({ type }) => type,
      ),
    ).toEqual(['dns', 'uri', 'email', 'ip']);
    expect(
      tlsOf(
        validation({
          ...ROOTS,
          match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: 'spiffe://a/ns/b/sa/c' } }],
        }),
      ),
    ).toMatchObject({ allowedIds: ['spiffe://a/ns/b/sa/c'] });
  });

  it('takes certificates and roots from every place that a DataSource names', () => {
    vi.stubEnv('TULLE_TEST_ROOTS', 'roots');
    const bytes = Buffer.from('chain').toString('base64');
    expect(
      tlsOf({
        common_tls_context: {
          tls_certificates: [
            { certificate_chain: { inline_bytes: bytes }, private_key: { inline_string: 'key' } },
          ],
          validation_context: {
            trusted_ca: { environment_variable: 'TULLE_TEST_ROOTS' },
            crl: { filename: '/crl.pem' },
          },
        },
      }),
    ).toMatchObject({
      certificate: { kind: 'inline', certificatePem: 'chain', keyPem: 'key' },
      trust: { kind: 'inline', caPem: 'roots', crl: { file: '/crl.pem' } },
    });
    vi.unstubAllEnvs();
    expect(refusedAt(tls(validation({ trusted_ca: { environment_variable: 'TULLE_TEST_ROOTS' } })))).toEqual([
      `${AT}.validation_context.trusted_ca.environment_variable`,
    ]);
  });

  it('may pin certificates and keys, and choose versions, suites and groups', () => {
    const digest = 'ab'.repeat(32);
    expect(
      tlsOf({
        common_tls_context: {
          tls_params: {
            tls_minimum_protocol_version: 'TLSv1_3',
            cipher_suites: ['[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]', 'AES128-SHA'],
            ecdh_curves: ['X25519', 'P-256'],
            signature_algorithms: ['ed25519'],
          },
          validation_context: {
            verify_certificate_hash: [digest.toUpperCase().replaceAll(/(..)(?!$)/g, '$1:')],
            verify_certificate_spki: [`${'A'.repeat(43)}=`],
          },
        },
      }),
    ).toEqual({
      trust: { kind: 'none' },
      certificateHashes: [digest],
      publicKeyHashes: [`${'A'.repeat(43)}=`],
      cipherSuites: ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-CHACHA20-POLY1305', 'AES128-SHA'],
      curves: ['X25519', 'P-256'],
      signatureAlgorithms: ['ed25519'],
    });
  });

  it.each([
    [`${AT}.tls_params.cipher_suites[0]`, { tls_params: { cipher_suites: ['RC4-MD5'] } }],
    [`${AT}.tls_params.ecdh_curves[1]`, { tls_params: { ecdh_curves: ['P-256', 'P-224'] } }],
    [
      `${AT}.tls_params.tls_minimum_protocol_version`,
      { tls_params: { tls_minimum_protocol_version: 'TLSv1_0' } },
    ],
    [
      `${AT}.validation_context.trust_chain_verification`,
      { validation_context: { ...ROOTS, trust_chain_verification: 'ACCEPT_UNTRUSTED' } },
    ],
    [
      `${AT}.validation_context`,
      {
        validation_context: { match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'a' } }] },
      },
    ],
    [
      `${AT}.validation_context.match_typed_subject_alt_names[0].san_type`,
      {
        validation_context: {
          ...ROOTS,
          match_typed_subject_alt_names: [{ san_type: 'OTHER_NAME', matcher: { exact: 'a' } }],
        },
      },
    ],
    [
      `${AT}.validation_context.require_signed_certificate_timestamp`,
      { validation_context: { ...ROOTS, require_signed_certificate_timestamp: true } },
    ],
    [
      `${AT}.validation_context.allow_expired_certificate`,
      { validation_context: { ...ROOTS, allow_expired_certificate: true } },
    ],
    [
      `${AT}.tls_certificates[0]`,
      {
        tls_certificates: [{ certificate_chain: { filename: '/a' }, private_key: { inline_string: 'b' } }],
      },
    ],
  ] as const)('is refused at %s', (path, common) => {
    const decoded = decodeCluster(tls({ common_tls_context: common as unknown as JsonObject }));
    expect(decoded.ok ? [] : decoded.issues.map((issue) => issue.path)).toEqual([path]);
  });
});
