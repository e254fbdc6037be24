/**
 * What stands in a proxy's own configuration, or is read from another control plane's, and is not sent by this one.
 * @throws Error naming the field where it is set
 */
export function localOnly(value: unknown, field: string): void {
  if (value !== undefined)
    throw new Error(
      `${field} stands in a proxy's own configuration and is not sent: ${JSON.stringify(value)}`,
    );
}
