import { isInternalAddress, type Listener } from '@tulle/model';
import type { Transport } from '../ports.ts';

/** Why a listener cannot learn where its connections were going; `undefined`: it can, or does not want to, and what asks is loaded. */
export function whyDestinationsAreUnknown(
  { originalDestination, address }: Listener,
  transport: Transport,
): string | undefined {
  // Of connections of this process whoever made them says it.
  if (originalDestination !== true || isInternalAddress(address)) return undefined;
  if (transport.originalDestination === undefined)
    return 'needs what asks the kernel where connections were going: nodeTransport({ originalDestination }), which is not there';
  try {
    transport.prepareOriginalDestination?.();
    return undefined;
  } catch (error) {
    return `cannot be done here: ${(error as Error).message}`;
  }
}
