import type { Transport } from '../ports.ts';

/** Why a listener cannot ask where its connections were going; `undefined`: it can, and what asks is loaded. */
export function whyKernelCannotBeAsked(transport: Transport): string | undefined {
  if (transport.originalDestination === undefined)
    return 'needs what asks the kernel where connections were going: nodeTransport({ originalDestination }), which is not there';
  try {
    transport.prepareOriginalDestination?.();
    return undefined;
  } catch (error) {
    return `cannot be done here: ${(error as Error).message}`;
  }
}
