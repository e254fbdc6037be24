/**
 * Matchers compiled once: paths, hosts, headers, query, CIDR; Gateway API precedence. No platform imports.
 * @packageDocumentation
 */
export type { MatchView } from './view.ts';
export { loadRegexEngine } from './regex.ts';
export type { Regex, RegexEngine } from './regex.ts';
export { compileRoutes, usesRegex } from './route-matcher.ts';
export type { RouteMatcher } from './route-matcher.ts';
export { explainPathRefusal, normalizePath } from './path.ts';
export { hostOf, normalizeHost, portOf } from './host.ts';
