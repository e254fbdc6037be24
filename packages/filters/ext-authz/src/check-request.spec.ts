import type { ConnectionInfo } from '@tulle/filter';
import { expect, it } from 'vitest';
import { source } from './check-request.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nA+/=\n-----END CERTIFICATE-----\n';

const caller = (certificate: string | undefined): ConnectionInfo => ({
  remoteAddress: '192.0.2.1',
  directAddress: '192.0.2.1',
  remotePort: 4711,
  localAddress: '127.0.0.1',
  localPort: 8080,
  listener: 'in',
  direction: 'inbound',
  tls: true,
  peerIdentity: 'spiffe://mesh.local/ns/a/sa/b',
  peerCertificate: certificate,
  serverName: undefined,
  alpn: undefined,
});

it('shows the caller’s certificate percent-encoded where it is to, and there is one', () => {
  expect(source(caller(PEM), true).certificate).toBe(
    '-----BEGIN%20CERTIFICATE-----%0AA%2B%2F%3D%0A-----END%20CERTIFICATE-----%0A',
  );
  expect(source(caller(PEM), false).certificate).toBe('');
  expect(source(caller(undefined), true).certificate).toBe('');
});
