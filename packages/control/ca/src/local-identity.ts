import type { IdentitySnapshot, IdentitySource } from '@tulle/model';
import { controlPlaneId } from '@tulle/spiffe';
import type { Ca } from './ca.ts';
import { systemClock, type CaClock } from './clock.ts';
import { createIdentityKeeper, type KeeperEvent } from './identity-keeper.ts';

export interface LocalIdentityOptions {
  /** Default the control plane's own id. */
  readonly spiffeId?: string;
  /** The clock that the CA has; default the machine's. */
  readonly clock?: CaClock;
  readonly random?: () => number;
  readonly onEvent?: (event: KeeperEvent) => void;
}

export interface LocalIdentity extends IdentitySource {
  /** Resolves once the first certificate is there. */
  ready(): Promise<IdentitySnapshot>;
  close(): void;
}

/** The identity of the process that runs the CA, kept alive like any other, without a network. */
export function localIdentity(ca: Ca, options: LocalIdentityOptions = {}): LocalIdentity {
  const spiffeId = options.spiffeId ?? controlPlaneId(ca.trustDomain);
  const keeper = createIdentityKeeper({
    spiffeId,
    clock: options.clock ?? systemClock,
    obtain: (csrDer) => ca.issueLocal(spiffeId, csrDer),
    ...(options.random === undefined ? {} : { random: options.random }),
    ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
  });
  const unsubscribe = ca.subscribe(({ bundles, leafEpoch }) => {
    keeper.adoptBundles(bundles);
    keeper.epochSeen(leafEpoch, 0);
  });
  return {
    current: keeper.current,
    subscribe: keeper.subscribe,
    ready: () => keeper.ready(),
    close() {
      unsubscribe();
      keeper.close();
    },
  };
}
