/**
 * What a proxy says to itself, of its own machine, and nobody sends to it.
 * @throws Error naming the field where it is set
 */
export function localOnly(value: unknown, field: string): void {
  if (value !== undefined)
    throw new Error(`${field} is of the proxy's own machine and is not sent: ${JSON.stringify(value)}`);
}
