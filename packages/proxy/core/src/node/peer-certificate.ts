import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { RecordCertificate } from '@tulle/telemetry';
import type { PeerCertificate } from '../ports.ts';

/** Read once for each connection that is asked. */
const read: WeakMap<TLSSocket, PeerCertificate | false> = new WeakMap();
/** Likewise. */
const own: WeakMap<TLSSocket, RecordCertificate | false> = new WeakMap();

/**
 * Keeps the certificate of an endpoint for who asks later: Node 24 gives a client the peer's chain whole only once, and nothing
 * when it is asked again. To be called before anybody asks.
 */
export function keepPeerCertificate(socket: TLSSocket): void {
  const shown = socket.getPeerX509Certificate();
  socket.getPeerX509Certificate = () => shown;
}

/** What the certificate says that a peer showed; `undefined`: it showed none. */
export function peerCertificate(socket: TLSSocket): PeerCertificate | undefined {
  let known = read.get(socket);
  if (known === undefined) {
    const shown = socket.getPeerX509Certificate();
    read.set(socket, (known = shown === undefined ? false : ofPeer(shown, socket.getX509Certificate())));
  }
  return known === false ? undefined : known;
}

/** What this end's own certificate says; `undefined`: there is none. */
export function ownCertificate(socket: TLSSocket): RecordCertificate | undefined {
  let known = own.get(socket);
  if (known === undefined) {
    const shown = socket.getX509Certificate();
    own.set(socket, (known = shown === undefined ? false : describe(shown)));
  }
  return known === false ? undefined : known;
}

function ofPeer(shown: X509Certificate, ours: X509Certificate | undefined): PeerCertificate {
  return {
    ...describe(shown),
    chainPem: chainOf(shown),
    localUris: ours === undefined ? [] : namesOf(ours, 'URI'),
  };
}

function describe(shown: X509Certificate): RecordCertificate {
  return {
    sha256: hex(shown.fingerprint256),
    sha1: hex(shown.fingerprint),
    serial: shown.serialNumber.toLowerCase(),
    subject: nameText(shown.subject),
    issuer: nameText(shown.issuer),
    uris: namesOf(shown, 'URI'),
    dns: namesOf(shown, 'DNS'),
    ips: namesOf(shown, 'IP Address'),
    emails: namesOf(shown, 'email'),
    notBeforeMs: Date.parse(shown.validFrom),
    notAfterMs: Date.parse(shown.validTo),
    pem: shown.toString(),
  };
}

const hex = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase();

/**
 * RFC 2253 §2.1: the last attribute first. Node has none where it is empty, as that of an SVID is; its types do not know.
 */
function nameText(lines: string | undefined): string {
  return (lines ?? '').split('\n').reverse().join(',');
}

/** Node quotes a name that could be taken for several. */
function namesOf(
  { subjectAltName }: X509Certificate,
  kind: 'URI' | 'DNS' | 'IP Address' | 'email',
): string[] {
  const names: string[] = [];
  for (const [, type, quotedText, plain] of (subjectAltName ?? '').matchAll(
    /(?:^|, )(\w[\w ]*):(?:"((?:[^"\\]|\\.)*)"|([^,]*))/g,
  )) {
    if (type !== kind) continue;
    names.push(quotedText === undefined ? (plain ?? '') : (JSON.parse(`"${quotedText}"`) as string));
  }
  return names;
}

/** The certificates that the peer showed, up to one that issued itself. */
function chainOf(shown: X509Certificate): string {
  let pem = '';
  let one: X509Certificate | undefined = shown;
  for (let depth = 0; one !== undefined && depth < 10; depth++) {
    pem += one.toString();
    const issuer: X509Certificate | undefined = one.issuerCertificate;
    if (issuer === undefined || issuer.fingerprint256 === one.fingerprint256) break;
    one = issuer;
  }
  return pem;
}
