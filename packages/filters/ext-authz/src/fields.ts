/** Fields of framing and of one hop: they belong to a connection, not to what is said over it (RFC 9110 §7.6.1). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Fields by which the proxy says who calls and through whom: what a peer has proven, nobody else may say. */
const IDENTITY_FIELDS: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-client-cert',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-real-ip',
  'x-request-id',
]);

/** Whether a field may be carried over to another message at all. */
export function isCarried(name: string): boolean {
  return !CONNECTION_FIELDS.has(name) && !name.startsWith(':');
}

/** Whether the service may set or remove this field of the request. */
export function isEditable(name: string): boolean {
  return isCarried(name) && !IDENTITY_FIELDS.has(name) && !name.startsWith('x-tulle-');
}

const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** RFC 9110 §5.5; what would end the line or the message is not among it. */
const VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

/** Whether a field can be written into a message: what a service says is not believed to be valid. */
export function isValidField(name: string, value: string): boolean {
  return NAME.test(name) && VALUE.test(value);
}
