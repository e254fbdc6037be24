import type { X509Certificate } from 'node:crypto';
import { CompileContext, compileStringMatch, loadedRegexEngine, type StringTest } from '@tulle/match';
import type { SubjectAltNameMatch } from '@tulle/model';

/** The names in a certificate, by type as in {@link SubjectAltNameMatch}. */
export type CertificateName = readonly [type: SubjectAltNameMatch['type'], name: string];

/** How Node writes the types; others are passed over. */
const TYPES: Readonly<Record<string, SubjectAltNameMatch['type']>> = {
  DNS: 'dns',
  URI: 'uri',
  email: 'email',
  'IP Address': 'ip',
};

/** One name as Node writes it: what has a comma, a quote or the like stands as JSON. */
const ENTRY = /([A-Za-z0-9 .]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/gy;

/** Subject alternative names of a certificate. */
export function namesOf(certificate: X509Certificate): readonly CertificateName[] {
  const found: CertificateName[] = [];
  for (const [, type = '', text = ''] of (certificate.subjectAltName ?? '').matchAll(ENTRY)) {
    const known = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
    if (known !== undefined) found.push([known, text.startsWith('"') ? (JSON.parse(text) as string) : text]);
  }
  return found;
}

/** Whether one of the names is what one of `wanted` asks for. */
export type NamesTest = (names: readonly CertificateName[]) => boolean;

/** @throws TulleError `TULLE_CONFIG_INVALID` for a pattern that is none */
export function compileNames(wanted: readonly SubjectAltNameMatch[]): NamesTest {
  const context = new CompileContext(loadedRegexEngine());
  const tests = wanted.map(({ type, match }, index): readonly [string, StringTest] => [
    type,
    type === 'dns' && match.kind === 'exact'
      ? (name) => isNameOf(name, match.value)
      : compileStringMatch(match, context, `/subjectAltNames/${index}/match`),
  ]);
  context.finish('TLS');
  return (names) => names.some(([type, name]) => tests.some(([asked, test]) => asked === type && test(name)));
}

/**
 * Whether a name in a certificate, which may be a wildcard, is that of a host: the wildcard stands for one whole label, the
 * first (RFC 6125 §6.4.3).
 */
export function isNameOf(inCertificate: string, host: string): boolean {
  const [name, wanted] = [inCertificate.toLowerCase(), host.toLowerCase()];
  if (!name.startsWith('*.')) return name === wanted;
  const dot = wanted.indexOf('.');
  return dot > 0 && wanted.slice(dot) === name.slice(1);
}
