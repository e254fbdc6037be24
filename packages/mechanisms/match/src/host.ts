/**
 * The one spelling of a host (`Host`, `:authority`): lower case, without trailing dot, port kept when given; `''` when it
 * has to be refused (userinfo, invalid characters, invalid port). Clean input comes back without allocation.
 */
export declare function normalizeHost(value: string): string;
/** Host of a normalised authority without its port. */
export declare function hostOf(authority: string): string;
/** Port of a normalised authority, 0 when it has none. */
export declare function portOf(authority: string): number;
