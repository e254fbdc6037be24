/**
 * Matchers compiled once: paths, hosts, headers, query, CIDR; Gateway API precedence. No platform imports.
 * @packageDocumentation
 */
export type { MatchView } from './view.ts';
export { loadedRegexEngine, loadRegexEngine, MAX_PATTERN_LENGTH } from './regex.ts';
export type { Regex, RegexEngine } from './regex.ts';
export { CompileContext } from './compile-context.ts';
export { compileRoutes, usesRegex } from './route-matcher.ts';
export type { RouteMatcher } from './route-matcher.ts';
export type { FailedCondition, RouteTrial } from './route-index.ts';
export { DomainTable } from './domain-table.ts';
export { compilePathMatch, isElementPrefix, testPath } from './path-match.ts';
export type { PathTest } from './path-match.ts';
export {
  explainPathRefusal,
  hasEscapedSlashes,
  hasPathParameters,
  normalizeConfiguredPath,
  normalizePath,
  stripPathParameters,
} from './path.ts';
export type { EscapedSlashes } from './path.ts';
export { compileNames, compileSent } from './field-names.ts';
export { patternsOfOthers } from './other-names.ts';
export type { NameTest } from './field-names.ts';
export { isGrpcContentType } from './grpc.ts';
export { readAttribute } from './attributes.ts';
export { parseTemplateRewrite, parseUriTemplate, rewriteByTemplate } from './uri-template.ts';
export type { TemplatePart, UriTemplate } from './uri-template.ts';
export { hostOf, normalizeHost, portOf } from './host.ts';
export { compileCidrs, maskAddress } from './cidr.ts';
export { formatIpv6, isIpAddress, parseIpPort, parseIpv6 } from './ip.ts';
export { isLoopback, isPrivateAddress } from './private-address.ts';
export type { CidrSet } from './cidr.ts';
export {
  compileHeaderMatch,
  compileQueryMatch,
  compileRequestMatch,
  compileStringMatch,
  firstQueryValue,
} from './value-match.ts';
export type { HeadersTest, QueryTest, RequestTest, StringTest } from './value-match.ts';
export { cookieValue } from './cookie-value.ts';
export { compileFilterStateMatch } from './filter-state-match.ts';
export type { FilterStateCheck } from './filter-state-match.ts';
export { compileMetadataMatch } from './metadata-match.ts';
export type { MetadataTest } from './metadata-match.ts';
export { comparePrecedence, sortByPrecedence } from './precedence.ts';
export type { PrecedenceKey } from './precedence.ts';
