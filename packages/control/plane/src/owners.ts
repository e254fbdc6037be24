/** Owner of what was applied over REST. */
export const REST = 'rest';

const JOINED = 'join:';

/** Owner of the Workloads that sidecars of this service account (`namespace/name`) make by joining. */
export const joinedOwner = (serviceAccount: string): string => `${JOINED}${serviceAccount}`;

/** Whether a resource was made by a sidecar that joined. */
export const isJoined = (owner: string): boolean => owner.startsWith(JOINED);
