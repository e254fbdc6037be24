/**
 * Transparent capture: where connections were going before rules of the kernel led them to a proxy.
 * @packageDocumentation
 */
export { kernelDestinations } from './kernel-destinations.ts';
