export { kernelDestinations } from './kernel-destinations.ts';
export { readDestination } from './socket-address.ts';
