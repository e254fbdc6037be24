import { create } from '@bufbuild/protobuf';
import type { TrustBundle } from '@tulle/model';
import { certificatesOfPem, toPem } from '@tulle/spiffe';
import {
  TrustBundleSchema,
  type Holder as WireHolder,
  type TrustBundle as WireBundle,
} from './gen/tulle/ca/v1/ca_pb.ts';
import type { HolderName } from './holders.ts';

/** Trust bundles as `tulle.ca.v1` carries them. */
export function bundlesToWire(bundles: readonly TrustBundle[]): WireBundle[] {
  return bundles.map((bundle) =>
    create(TrustBundleSchema, {
      trustDomain: bundle.trustDomain,
      rootsDer: bundle.rootsPem.flatMap(certificatesOfPem),
      generation: BigInt(bundle.generation),
    }),
  );
}

export function bundlesFromWire(bundles: readonly WireBundle[]): TrustBundle[] {
  return bundles.map((bundle) => ({
    trustDomain: bundle.trustDomain,
    rootsPem: bundle.rootsDer.map((der) => toPem('CERTIFICATE', der)),
    generation: Number(bundle.generation),
  }));
}

/** Who a caller says it is. */
export function holderFromWire(holder: WireHolder | undefined): HolderName {
  const { id = '', instance = '' } = holder ?? {};
  return { ...(id === '' ? {} : { holderId: id }), ...(instance === '' ? {} : { instance }) };
}
