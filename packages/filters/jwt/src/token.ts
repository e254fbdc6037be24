import { JWT_ALGORITHMS, type JwtAlgorithm } from '@tulle/model';
import { findJsonFault } from './json-fault.ts';
import type { Reason } from './reasons.ts';

/** A token taken apart and not believed yet. */
export interface ParsedToken {
  readonly algorithm: JwtAlgorithm;
  readonly keyId: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly header: Readonly<Record<string, unknown>>;
  /** The payload as it was sent, base64url. */
  readonly payload: string;
}

/** Header parameters by which a token would bring its own key (RFC 7515 §4.1.2–4.1.6). */
const EMBEDDED_KEYS = ['jwk', 'jku', 'x5u', 'x5c'] as const;
/** Longest key id: it is only compared. */
const MAX_KEY_ID_LENGTH = 256;
const BASE64URL = /^[A-Za-z0-9_-]+$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Takes a JWS in compact form apart, strictly: three parts, base64url without padding and without stray bits, JSON
 * objects in UTF-8 without duplicate names, an algorithm that is known, no key of its own, no extension.
 * @returns why it is refused otherwise
 */
export function parseToken(token: string): ParsedToken | Reason {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first < 0 || second < 0 || token.includes('.', second + 1)) return 'malformed';
  const payload = token.slice(first + 1, second);
  const headerText = decode(token.slice(0, first));
  const payloadText = decode(payload);
  if (headerText === undefined || payloadText === undefined) return 'malformed';
  // An empty signature is base64url of no bytes; its algorithm is named below.
  const signature = token.slice(second + 1);
  if (signature !== '' && decodeBytes(signature) === undefined) return 'malformed';
  const header = parseObject(headerText);
  if (header === undefined || findJsonFault(headerText) !== undefined) return 'bad-header';
  const refusal = refusalOfHeader(header);
  if (refusal !== undefined) return refusal;
  if (signature === '') return 'malformed';
  const claims = parseObject(payloadText);
  if (claims === undefined) return 'bad-claims';
  const fault = findJsonFault(payloadText);
  if (fault !== undefined) return fault === 'duplicate' ? 'duplicate-claim' : 'bad-claims';
  return {
    algorithm: header['alg'] as JwtAlgorithm,
    keyId: header['kid'] as string | undefined,
    claims,
    header,
    payload,
  };
}

function refusalOfHeader(header: Readonly<Record<string, unknown>>): Reason | undefined {
  if (Object.hasOwn(header, 'crit')) return 'critical';
  if (EMBEDDED_KEYS.some((name) => Object.hasOwn(header, name))) return 'embedded-key';
  if (!(JWT_ALGORITHMS as readonly unknown[]).includes(header['alg'])) return 'algorithm';
  // An unencoded payload (RFC 7797) and compression are extensions too, said or not.
  if (Object.hasOwn(header, 'b64') || Object.hasOwn(header, 'zip')) return 'critical';
  const { kid, typ } = header as { readonly kid?: unknown; readonly typ?: unknown };
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KEY_ID_LENGTH)) return 'bad-header';
  return typ === undefined || typeof typ === 'string' ? undefined : 'bad-header';
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function decode(part: string): string | undefined {
  const bytes = decodeBytes(part);
  if (bytes === undefined) return undefined;
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Only the one spelling that an encoder makes: other ones would be other tokens with the same meaning. */
function decodeBytes(part: string): Buffer | undefined {
  if (!BASE64URL.test(part)) return undefined;
  const bytes = Buffer.from(part, 'base64url');
  return bytes.toString('base64url') === part ? bytes : undefined;
}
