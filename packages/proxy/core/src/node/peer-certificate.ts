import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { PeerCertificate } from '../ports.ts';

/** Read once for each connection that is asked. */
const read: WeakMap<TLSSocket, PeerCertificate | false> = new WeakMap();

/** What the certificate says that a peer showed; `undefined`: it showed none. */
export function peerCertificate(socket: TLSSocket): PeerCertificate | undefined {
  let known = read.get(socket);
  if (known === undefined) {
    const shown = socket.getPeerX509Certificate();
    read.set(socket, (known = shown === undefined ? false : describe(shown, socket.getX509Certificate())));
  }
  return known === false ? undefined : known;
}

function describe(shown: X509Certificate, own: X509Certificate | undefined): PeerCertificate {
  // Node has none where it is empty, as that of an SVID is; its types do not know.
  const subject = shown.subject as string | undefined;
  return {
    sha256: shown.fingerprint256.replaceAll(':', '').toLowerCase(),
    // RFC 2253 §2.1: the last attribute first.
    subject: (subject ?? '').split('\n').reverse().join(','),
    uris: namesOf(shown, 'URI'),
    dns: namesOf(shown, 'DNS'),
    pem: shown.toString(),
    chainPem: chainOf(shown),
    localUris: own === undefined ? [] : namesOf(own, 'URI'),
  };
}

/** Node quotes a name that could be taken for several. */
function namesOf({ subjectAltName }: X509Certificate, kind: 'URI' | 'DNS'): string[] {
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
