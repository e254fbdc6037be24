/** Transport sockets: the part of {@link HONOURED} about them. */
export const HONOURED_OF_TLS: Readonly<Record<string, readonly string[]>> = {
  'envoy.config.core.v3.TransportSocket': ['name', 'typed_config'],
  'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer': [],
  'envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport': [
    'passthrough_metadata',
    'transport_socket',
  ],
  'envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport.MetadataValueSource': [
    'kind',
    'name',
  ],
  'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport': [
    'config',
    'transport_socket',
  ],
  'envoy.config.core.v3.ProxyProtocolConfig': ['version'],
  'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext': [
    'common_tls_context',
    'sni',
    'max_session_keys',
  ],
  'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext': [
    'common_tls_context',
    'require_client_certificate',
    'require_sni',
    'session_timeout',
    'session_ticket_keys',
    'session_ticket_keys_sds_secret_config',
    'disable_stateless_session_resumption',
    // Nothing is kept here to resume sessions by, but tickets.
    'disable_stateful_session_resumption',
    'full_scan_certs_on_sni_mismatch',
  ],
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext': [
    'tls_params',
    'tls_certificates',
    'tls_certificate_sds_secret_configs',
    'validation_context',
    'validation_context_sds_secret_config',
    'combined_validation_context',
    'alpn_protocols',
  ],
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext': [
    'default_validation_context',
    'validation_context_sds_secret_config',
  ],
  'envoy.extensions.transport_sockets.tls.v3.TlsParameters': [
    'tls_minimum_protocol_version',
    'tls_maximum_protocol_version',
    'cipher_suites',
    'ecdh_curves',
    'signature_algorithms',
  ],
  'envoy.extensions.transport_sockets.tls.v3.TlsCertificate': [
    'certificate_chain',
    'private_key',
    // Files are followed wherever they are.
    'watched_directory',
  ],
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext': [
    'trusted_ca',
    'system_root_certs',
    'watched_directory',
    'crl',
    'verify_certificate_spki',
    'verify_certificate_hash',
    'match_typed_subject_alt_names',
    'match_subject_alt_names',
    'trust_chain_verification',
  ],
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.SystemRootCerts': [],
  'envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher': ['san_type', 'matcher'],
  'envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig': ['name', 'sds_config'],
  'envoy.extensions.transport_sockets.tls.v3.Secret': [
    'name',
    'tls_certificate',
    'validation_context',
    'session_ticket_keys',
  ],
  'envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys': ['keys'],
};
