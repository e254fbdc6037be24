import { readFileSync } from 'node:fs';

interface Files {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

/** What the Node proxies are told, with the files read. */
export interface NodeProxySetup {
  readonly listenPort: number;
  readonly originPort: number;
  readonly origin: string;
  /** For `https.Agent` and the like; absent: plain text to the origin. */
  readonly upstreamTls:
    | {
        readonly key: Buffer;
        readonly cert: Buffer;
        readonly ca: Buffer;
        readonly servername: string;
        readonly minVersion: 'TLSv1.3';
      }
    | undefined;
  /** For `https.createServer`; absent: plain text from callers. */
  readonly downstreamTls:
    | {
        readonly key: Buffer;
        readonly cert: Buffer;
        readonly ca: Buffer;
        readonly requestCert: true;
        readonly rejectUnauthorized: true;
        readonly minVersion: 'TLSv1.3';
      }
    | undefined;
}

/** Reads the setup from the command line. */
export function nodeProxySetup(): NodeProxySetup {
  const { listenPort, originPort, tls, serverTls } = JSON.parse(process.argv[2] ?? '{}') as {
    listenPort: number;
    originPort: number;
    tls: Files | null;
    serverTls: Files | null;
  };
  const read = ({ key, cert, ca }: Files): { key: Buffer; cert: Buffer; ca: Buffer } => ({
    key: readFileSync(key),
    cert: readFileSync(cert),
    ca: readFileSync(ca),
  });
  return {
    listenPort,
    originPort,
    origin: `${tls === null ? 'http' : 'https'}://127.0.0.1:${originPort}`,
    upstreamTls:
      tls === null ? undefined : { ...read(tls), servername: 'origin.bench', minVersion: 'TLSv1.3' },
    downstreamTls:
      serverTls === null
        ? undefined
        : { ...read(serverTls), requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' },
  };
}
