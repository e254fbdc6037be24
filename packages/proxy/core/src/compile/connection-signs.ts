import { isLoopback } from '@tulle/match';

/** What a chain is chosen by. */
export interface ConnectionSigns {
  readonly sourceAddress: string;
  readonly sourcePort: number;
  /** Of who connected; differs from the source where a header of the PROXY protocol said another. */
  readonly directAddress: string;
  readonly destinationAddress: string;
  readonly destinationPort: number;
  /** `undefined`: nobody looked. */
  readonly tls: boolean | undefined;
  readonly serverName: string | undefined;
  /** In the order in which the caller wishes for them. */
  readonly applicationProtocols: readonly string[];
  /** What the connection brought along, or listener filters put down. */
  readonly filterState: Readonly<Record<string, string>> | undefined;
}

/** Whether a connection comes from this machine. */
export function isLocal({ sourceAddress, destinationAddress }: ConnectionSigns): boolean {
  return sourceAddress === '' || sourceAddress === destinationAddress || isLoopback(sourceAddress);
}
