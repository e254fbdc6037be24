import {
  isInternalName,
  type RecordCertificate,
  type RecordConnection,
  type StreamRecord,
} from '@tulle/telemetry';
import { compileTime } from '../time-format.ts';
import { type Compile, type Getter, type Operators, plain } from './operator.ts';

/** Of a Unix socket, or within the process: there is no port. */
const isName = (host: string): boolean => host === '' || isInternalName(host);
const hostPort = (host: string, port: number): string =>
  isName(host) ? host : host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
const splitPort = (address: string): readonly [host: string, port: string] => {
  if (isName(address)) return [address, ''];
  const colon = address.lastIndexOf(':');
  return colon < 0
    ? [address, '']
    : [address.slice(0, colon).replace(/^\[|\]$/g, ''), address.slice(colon + 1)];
};
const withoutPort = (address: string): string => splitPort(address)[0];
const attempted = (r: StreamRecord): string[] =>
  r.attempts.map(({ address }) => address).filter((address) => address !== '');

type Side = (record: StreamRecord) => RecordConnection | undefined;
type Shown = (record: StreamRecord) => RecordCertificate | undefined;
const downstream: Side = (r) => r.downstream;
const upstream: Side = (r) => r.upstream;
const ofPeer =
  (side: Side): Shown =>
  (r) =>
    side(r)?.tls?.peer;
const own =
  (side: Side): Shown =>
  (r) =>
    side(r)?.tls?.own;

const names = (shown: Shown, of: 'uris' | 'dns' | 'ips' | 'emails', otherwise?: Getter): Compile =>
  plain((r) => {
    const certificate = shown(r);
    return certificate === undefined ? otherwise?.(r) : certificate[of].join(',');
  });
const text = (shown: Shown, of: 'sha256' | 'sha1' | 'serial' | 'subject' | 'issuer'): Compile =>
  plain((r) => shown(r)?.[of]);
/** As in a URL, so that it is one line (Envoy). */
const pem = (shown: Shown): Compile =>
  plain((r) => {
    const certificate = shown(r);
    return certificate && encodeURIComponent(certificate.pem);
  });
const moment =
  (operator: string, shown: Shown, of: 'notBeforeMs' | 'notAfterMs'): Compile =>
  (argument, at, issues) => {
    const time = compileTime(argument, at + operator.length + 2, issues);
    return (r) => {
      const certificate = shown(r);
      return certificate && time(certificate[of]);
    };
  };

/** Operators about certificates that both sides have. */
function certificates(side: 'UPSTREAM' | 'DOWNSTREAM', of: Side, identity: Getter): Operators {
  const peer = ofPeer(of);
  return {
    [`${side}_TLS_VERSION`]: plain((r) => of(r)?.tls?.version),
    [`${side}_TLS_CIPHER`]: plain((r) => of(r)?.tls?.cipher),
    [`${side}_PEER_SUBJECT`]: text(peer, 'subject'),
    [`${side}_PEER_ISSUER`]: text(peer, 'issuer'),
    [`${side}_PEER_CERT`]: pem(peer),
    [`${side}_PEER_CERT_V_START`]: moment(`${side}_PEER_CERT_V_START`, peer, 'notBeforeMs'),
    [`${side}_PEER_CERT_V_END`]: moment(`${side}_PEER_CERT_V_END`, peer, 'notAfterMs'),
    [`${side}_PEER_URI_SAN`]: names(peer, 'uris', identity),
    [`${side}_PEER_DNS_SAN`]: names(peer, 'dns'),
    [`${side}_PEER_IP_SAN`]: names(peer, 'ips'),
    [`${side}_LOCAL_URI_SAN`]: names(own(of), 'uris'),
    [`${side}_LOCAL_DNS_SAN`]: names(own(of), 'dns'),
    [`${side}_LOCAL_IP_SAN`]: names(own(of), 'ips'),
  };
}

/** Who spoke with whom, over what. */
export const CONNECTION_OPERATORS: Operators = {
  CONNECTION_ID: plain((r) => r.downstream?.id),
  DOWNSTREAM_REMOTE_ADDRESS: plain((r) => hostPort(r.remoteAddress, r.remotePort)),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((r) => r.remoteAddress),
  DOWNSTREAM_REMOTE_PORT: plain((r) => (isName(r.remoteAddress) ? undefined : r.remotePort)),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: plain((r) => hostPort(r.remoteAddress, r.remotePort)),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: plain((r) => r.remoteAddress),
  DOWNSTREAM_DIRECT_REMOTE_PORT: plain((r) => (isName(r.remoteAddress) ? undefined : r.remotePort)),
  DOWNSTREAM_LOCAL_ADDRESS: plain((r) => hostPort(r.localAddress, r.localPort)),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: plain((r) => r.localAddress),
  DOWNSTREAM_LOCAL_PORT: plain((r) => (isName(r.localAddress) ? undefined : r.localPort)),
  ...certificates('DOWNSTREAM', downstream, (r) => r.peerIdentity),
  DOWNSTREAM_PEER_EMAIL_SAN: names(ofPeer(downstream), 'emails'),
  DOWNSTREAM_PEER_FINGERPRINT_256: text(ofPeer(downstream), 'sha256'),
  DOWNSTREAM_PEER_FINGERPRINT_1: text(ofPeer(downstream), 'sha1'),
  DOWNSTREAM_PEER_SERIAL: text(ofPeer(downstream), 'serial'),
  DOWNSTREAM_LOCAL_SUBJECT: text(own(downstream), 'subject'),
  DOWNSTREAM_LOCAL_EMAIL_SAN: names(own(downstream), 'emails'),
  REQUESTED_SERVER_NAME: plain((r) => r.serverName),
  FILTER_CHAIN_NAME: plain((r) => r.filterChain),

  UPSTREAM_CLUSTER: plain((r) => r.clusterStatName ?? r.cluster),
  UPSTREAM_CLUSTER_RAW: plain((r) => r.cluster),
  UPSTREAM_HOST: plain((r) => r.upstreamAddress),
  UPSTREAM_HOST_NAME: plain((r) => r.upstreamHostname ?? r.upstreamAddress),
  UPSTREAM_HOST_NAME_WITHOUT_PORT: plain((r) => r.upstreamHostname ?? withoutPort(r.upstreamAddress)),
  UPSTREAM_HOSTS_ATTEMPTED: plain((r) => attempted(r).join(',')),
  UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT: plain((r) => attempted(r).map(withoutPort).join(',')),
  UPSTREAM_REMOTE_ADDRESS: plain((r) => r.upstreamAddress),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((r) => withoutPort(r.upstreamAddress)),
  UPSTREAM_REMOTE_PORT: plain((r) => splitPort(r.upstreamAddress)[1]),
  UPSTREAM_PROTOCOL: plain((r) => (r.kind === 'tcp' ? undefined : r.upstream?.protocol)),
  UPSTREAM_CONNECTION_ID: plain((r) => r.upstream?.id ?? 0),
  UPSTREAM_LOCAL_ADDRESS: plain((r) => r.upstream && hostPort(r.upstream.localAddress, r.upstream.localPort)),
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: plain((r) => r.upstream?.localAddress),
  UPSTREAM_LOCAL_PORT: plain((r) =>
    isName(r.upstream?.localAddress ?? '') ? undefined : r.upstream?.localPort,
  ),
  UPSTREAM_TRANSPORT_FAILURE_REASON: plain((r) => {
    const last = r.attempts[r.attempts.length - 1];
    return last !== undefined && last.status === 0 ? last.failure : undefined;
  }),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: plain((r) => r.attempts.length),
  ...certificates('UPSTREAM', upstream, (r) => r.upstreamIdentity),
};
