/**
 * Whether an address of a record is no address of a network but the name of an end within the process, `envoy://listener/id`, which has
 * no port (Envoy `EnvoyInternalAddress`, as its logs show it).
 */
export const isInternalName = (address: string): boolean => address.startsWith('envoy://');
