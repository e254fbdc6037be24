import { STATUS, type Status } from '../abi.ts';
import { MemoryFault } from '../guest-memory.ts';

/** The guest has ended itself: its machine is of no use any more. */
export class GuestExit extends Error {}

/** A function that a guest calls; numbers as WebAssembly has them. */
export type HostFunction = (...args: never[]) => number | void;

/**
 * Functions whose faults are told to the guest as a status: nothing that it says may throw through it.
 * @param failed told of faults of ours
 */
export function guarded(
  functions: Readonly<Record<string, HostFunction>>,
  failed: (name: string, error: unknown) => void,
): Record<string, HostFunction> {
  return Object.fromEntries(
    Object.entries(functions).map(([name, fn]) => [
      name,
      (...args: never[]): number | void => {
        try {
          return fn(...args);
        } catch (error) {
          if (error instanceof GuestExit) throw error;
          if (error instanceof MemoryFault) return STATUS.invalidMemoryAccess satisfies Status;
          failed(name, error);
          return STATUS.internalFailure satisfies Status;
        }
      },
    ]),
  );
}
