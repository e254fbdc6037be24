const REDACTED = '[redacted]';
/** Envoy redacts bytes to the same text. */
const REDACTED_BYTES = Buffer.from(REDACTED).toString('base64');

/** Fields that Envoy's API marks sensitive, wherever they stand. */
const SENSITIVE = new Set([
  'private_key',
  'password',
  'pkcs12',
  'session_ticket_keys',
  'keys',
  'secret',
  'generic_secret',
  'hmac_secret',
  'token_secret',
  'access_token',
  'refresh_token',
  'json_web_key',
  'service_account_jwt_access',
  'client_secret',
]);
/** Header fields whose values are credentials. */
const SECRET_HEADER =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|.*(?:token|secret|password).*)$/i;

/** Of a JSON Web Key what is not for everybody (RFC 7518 §6). */
const PRIVATE_OF_JWK = new Set(['k', 'd', 'p', 'q', 'dp', 'dq', 'qi', 'oth']);

/** A message as JSON with everything that is secret replaced. @param within of a field that is secret */
export function redactJson(value: unknown, within = false): unknown {
  if (Array.isArray(value)) return value.map((item) => redactJson(item, within));
  if (typeof value === 'object' && value !== null) {
    const record = value as Readonly<Record<string, unknown>>;
    // Envoy's own messages say `key`, configurations of filters in a struct say `name`.
    const field = typeof record['key'] === 'string' ? record['key'] : record['name'];
    const header = typeof field === 'string' && SECRET_HEADER.test(field);
    const isJwk = typeof record['kty'] === 'string';
    return Object.fromEntries(
      // What it is stands first, as Envoy prints it.
      Object.entries({ ...('@type' in record && { '@type': record['@type'] }), ...record }).map(
        ([key, part]) => {
          if (header && key === 'value' && typeof part === 'string') return [key, REDACTED];
          if (header && key === 'raw_value') return [key, REDACTED_BYTES];
          if (isJwk && PRIVATE_OF_JWK.has(key)) return [key, REDACTED];
          if (within && key === 'inline_bytes') return [key, REDACTED_BYTES];
          // Where a secret is read from is no secret.
          if (within && ['filename', 'environment_variable', '@type', 'name'].includes(key))
            return [key, part];
          return [key, redactJson(part, within || (SENSITIVE.has(key) && isSecretField(key, part)))];
        },
      ),
    );
  }
  return within && value !== null ? REDACTED : value;
}

/** `keys` is secret as the keys of TLS tickets, which are data sources, and nowhere else. */
function isSecretField(key: string, value: unknown): boolean {
  if (key !== 'keys' && key !== 'secret') return true;
  if (key === 'secret') return typeof value === 'string' || isDataSource(value);
  return Array.isArray(value) && value.every(isDataSource);
}

const isDataSource = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  ['filename', 'inline_bytes', 'inline_string', 'environment_variable'].some((name) => name in value);
