import type { View } from '../cli/output.ts';

/** A certificate as `/certs` of a proxy tells it; keys are never told. */
export interface ProxyCertificate {
  /** `workload`: its own chain; `trust`: a root it believes; else the file it is from. */
  readonly source: string;
  readonly subject: string;
  readonly spiffeId?: string;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** The certificates in use by a proxy. */
export function secretView(
  proxy: string,
  certificates: readonly ProxyCertificate[],
  nowMs: number,
): View<ProxyCertificate> {
  return {
    rows: certificates,
    document: { proxy, certificates },
    name: (one) => one.serial,
    empty: 'No certificates: this proxy runs without identity.',
    columns: [
      { header: 'SECRET', value: (one) => one.source },
      { header: 'SUBJECT', value: (one) => one.spiffeId ?? one.subject },
      { header: 'VALID', value: (one) => validity(one, nowMs) },
      { header: 'UNTIL', value: (one) => new Date(one.notAfterMs).toISOString() },
      { header: 'SERIAL', value: (one) => one.serial },
      { header: 'FROM', value: (one) => new Date(one.notBeforeMs).toISOString(), wide: true },
    ],
  };
}

const validity = ({ notBeforeMs, notAfterMs }: ProxyCertificate, nowMs: number): string =>
  nowMs < notBeforeMs ? 'not yet' : nowMs > notAfterMs ? 'EXPIRED' : 'yes';
