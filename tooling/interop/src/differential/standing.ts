import type { Certificates } from './certificates.ts';
import { type Json, PLAIN_ORIGINS } from './configuration.ts';
import { clusterOf, HTTP2_CLUSTER, typed } from './resources.ts';

/** Clusters that every configuration may name: one for each origin, by its name, and `gone`, where nobody listens. */
export function STANDING_CLUSTERS(certificates: Certificates): Json[] {
  return [
    ...PLAIN_ORIGINS.map((name) => clusterOf(name, [name])),
    clusterOf('h2', ['h2'], HTTP2_CLUSTER),
    clusterOf('gone', ['gone']),
    clusterOf('echo', ['echo']),
    clusterOf('tls', ['tls'], {
      transport_socket: upstreamTls(certificates, { sni: 'origin.test' }),
    }),
  ];
}

/** A TLS context of a cluster. @param validation fields beside the roots */
export function upstreamTls(certificates: Certificates, context: Json = {}, validation: Json = {}): Json {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: typed('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
      common_tls_context: {
        validation_context: { trusted_ca: { inline_string: certificates.ca }, ...validation },
      },
      ...context,
    }),
  };
}
