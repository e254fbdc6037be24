import { create, toJson } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type CertificateDetails, CertificatesSchema } from '@tulle/xds-proto/envoy/admin/v3/certs';
import { listOf } from './ask-front.ts';

/** A certificate as the engine tells it. */
interface CertificatePart {
  readonly source: string;
  readonly spiffeId?: string;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const DAY_MS = 86_400_000;

/** Days until the first certificate of any kind ends; `undefined` where there is none. */
export function daysLeft(
  page: Readonly<Record<string, unknown>>,
  nowMs: number = Date.now(),
): number | undefined {
  const ends = listOf<CertificatePart>(page, 'certificates').map(({ notAfterMs }) => notAfterMs);
  return ends.length === 0 ? undefined : Math.max(0, Math.floor((Math.min(...ends) - nowMs) / DAY_MS));
}

/** `envoy.admin.v3.Certificates`: roots as `ca_cert`, what is shown to peers as `cert_chain`. */
export function certificatesPage(
  page: Readonly<Record<string, unknown>>,
  nowMs: number = Date.now(),
): unknown {
  const certificates = create(CertificatesSchema, {
    certificates: listOf<CertificatePart>(page, 'certificates').map((part) => {
      const details = {
        serialNumber: part.serial.toLowerCase(),
        subjectAltNames: part.spiffeId === undefined ? [] : [{ name: { case: 'uri', value: part.spiffeId } }],
        daysUntilExpiration: BigInt(Math.max(0, Math.floor((part.notAfterMs - nowMs) / DAY_MS))),
        validFrom: timestampFromMs(part.notBeforeMs),
        expirationTime: timestampFromMs(part.notAfterMs),
      } as unknown as CertificateDetails;
      return part.source === 'trust' ? { caCert: [details] } : { certChain: [details] };
    }),
  });
  return toJson(CertificatesSchema, certificates, { useProtoFieldName: true, alwaysEmitImplicit: true });
}
