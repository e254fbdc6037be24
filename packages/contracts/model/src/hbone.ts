/** Where tunnels are taken unless something says otherwise: the port that Istio's ambient mode made known. */
export const HBONE_PORT = 15_008;
