/** Who is who here. An SVID of any other trust domain, or of another workload, is refused. */
export const trustDomain = 'shop.example';

/** SPIFFE id of a workload of the namespace `shop`. */
export const idOf = (workload: string): string => `spiffe://${trustDomain}/ns/shop/sa/${workload}`;
